/** Interfaces that go down, come up and go away, under captures and injectors. */
import test, { type ExecutionContext } from 'ava'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasCode } from '../src/errors.js'
import type { Capture } from '../src/index.js'
import { frame, numberOf } from './helpers/frames.js'
import { network, setDown, setUp, type End } from './helpers/network.js'
import { arrived, captureOn, injectorOn, receive, sendAll, until as untilSo } from './helpers/traffic.js'

const DOWN = 'ERR_NETRING_LINK_DOWN'
const REMOVED = 'ERR_NETRING_INTERFACE_REMOVED'

async function until(t: ExecutionContext, what: string, holds: () => boolean): Promise<void> {
  t.true(await untilSo(holds), what)
}

function remove(end: End): void {
  end.ip('link', 'del', end.name)
}

/** As remove(), with the event loop running meanwhile: JavaScript sees every state that the kernel passes through. */
async function removeMeanwhile(end: End): Promise<void> {
  await once(spawn('ip', ['-n', end.netns, 'link', 'del', end.name], { stdio: 'inherit' }), 'exit')
}

/** Events in the order in which they come. */
function eventsOf(capture: Capture): string[] {
  const events: string[] = []
  for (const event of ['linkDown', 'linkUp', 'removed', 'close'] as const) capture.on(event, () => events.push(event))
  return events
}

const soon = (): { readonly signal: AbortSignal } => ({ signal: AbortSignal.timeout(10_000) })

test('linkDown, linkUp, removed and close are told once each and in order', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const events = eventsOf(capture)
  await sleep(50)
  setDown(b)
  await until(t, 'linkDown', () => events.includes('linkDown'))
  await setUp(b, a)
  await until(t, 'linkUp', () => events.includes('linkUp'))
  remove(b)
  await until(t, 'removed', () => events.includes('removed'))
  capture.close()
  capture.close()
  await until(t, 'close', () => events.includes('close'))
  await sleep(50)
  // An interface goes down before it goes away.
  t.deepEqual(events, ['linkDown', 'linkUp', 'linkDown', 'removed', 'close'])
})

test('removing an interface that is down tells removed, and not linkDown again', async (t) => {
  const { b } = network(t)
  const events = eventsOf(captureOn(t, b))
  await sleep(50)
  setDown(b)
  await until(t, 'linkDown', () => events.length > 0)
  remove(b)
  await until(t, 'removed', () => events.length > 1)
  await sleep(50)
  t.deepEqual(events, ['linkDown', 'removed'])
})

test('a listener that was taken off is told nothing', async (t) => {
  const { b } = network(t)
  const capture = captureOn(t, b)
  const events = eventsOf(capture)
  const others: string[] = []
  const listener = (): void => {
    others.push('linkDown')
  }
  capture.on('linkDown', listener)
  capture.off('linkDown', listener)
  await sleep(50)
  setDown(b)
  await until(t, 'linkDown', () => events.length > 0)
  t.deepEqual(others, [])
})

test.serial('readable() rejects once when the link goes down, then sleeps, then resolves with traffic', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  const pending = [capture.readable(soon()), capture.readable(soon())]
  setDown(b)
  for (const wait of pending) await t.throwsAsync(wait, { code: DOWN })
  let settled = false
  const second = capture.readable(soon()).finally(() => {
    settled = true
  })
  const before = process.cpuUsage()
  await sleep(300)
  const { user, system } = process.cpuUsage(before)
  t.false(settled)
  t.true(user + system < 150_000, `${String(user + system)} us of CPU in 300 ms of waiting`)
  await setUp(b, a)
  await sendAll(injector, [frame(60, 7)])
  await second
  t.deepEqual(
    (await receive(capture, 1)).map((packet) => numberOf(packet.data)),
    [7],
  )
})

test('each time that the link goes down is told once', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  for (let times = 0; times < 3; times++) {
    const pending = capture.readable(soon())
    setDown(b)
    await t.throwsAsync(pending, { code: DOWN })
    await t.throwsAsync(capture.readable({ signal: AbortSignal.timeout(50) }), { any: true, name: 'TimeoutError' })
    await setUp(b, a)
    await sendAll(injectorOn(t, a), [frame(60, times)])
    t.deepEqual(
      (await receive(capture, 1)).map((packet) => numberOf(packet.data)),
      [times],
    )
  }
})

test('a link that went down while nobody waited is told to the next who waits', async (t) => {
  const { b } = network(t)
  const capture = captureOn(t, b)
  setDown(b)
  await sleep(50)
  t.is(capture.nextBatch(), undefined)
  await t.throwsAsync(capture.readable(soon()), { code: DOWN })
})

test('nextBatchBlocking() throws once when the link is down, then waits', async (t) => {
  const { b } = network(t)
  const capture = captureOn(t, b)
  setDown(b)
  t.throws(() => capture.nextBatchBlocking(5000), { code: DOWN })
  const start = performance.now()
  t.is(capture.nextBatchBlocking(250), undefined)
  t.true(performance.now() - start >= 249)
  await sleep(0)
})

test('for await goes on through a link that is down, with what came before and what comes after', async (t) => {
  const { a, b } = network(t)
  // Slow, so that the frames of a round lie in an open block when the link goes down.
  const capture = captureOn(t, b, { blockTimeoutMs: 300 })
  const injector = injectorOn(t, a)
  const seen: number[] = []
  const reading = (async () => {
    for await (const batch of capture) for (const packet of batch) seen.push(numberOf(packet.data))
  })()
  for (let round = 0; round < 3; round++) {
    await sendAll(injector, [frame(60, 2 * round), frame(60, 2 * round + 1)])
    await arrived(capture, 2 * round + 2)
    // Round by round, at once after sending: what came before the link went down is delivered all the same.
    setDown(b)
    await sleep(20)
    await setUp(b, a)
  }
  await sendAll(injector, [frame(60, 6)])
  await until(t, 'the last frame', () => seen.length >= 7)
  capture.close()
  await reading
  t.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6])
})

test('removal rejects readable(), recv() and for await', async (t) => {
  const { b } = network(t)
  const [first, second, third] = [captureOn(t, b), captureOn(t, b), captureOn(t, b)]
  const waits = [
    first.readable(soon()),
    second.recv(soon()),
    (async () => {
      for await (const batch of third) t.log(batch)
    })(),
  ]
  // At one blow, as far as JavaScript can see.
  remove(b)
  for (const wait of waits) await t.throwsAsync(wait, { code: REMOVED })
  for (const capture of [first, second, third]) {
    t.throws(() => capture.nextBatch(), { code: REMOVED })
    t.throws(() => capture.nextBatchBlocking(5000), { code: REMOVED })
    await t.throwsAsync(capture.readable(soon()), { code: REMOVED })
  }
})

test('removal is never missed by who waits again after the link went down on the way', async (t) => {
  for (let times = 0; times < 8; times++) {
    const { b } = network(t)
    const [one, other] = [captureOn(t, b), captureOn(t, b)]
    const again = async (): Promise<void> => {
      for (;;) {
        try {
          await one.readable(soon())
        } catch (error) {
          if (!hasCode(error, DOWN)) throw error
        }
      }
    }
    const looping = async (): Promise<void> => {
      for await (const batch of other) t.log(batch)
    }
    const waits = [t.throwsAsync(again(), { code: REMOVED }), t.throwsAsync(looping(), { code: REMOVED })]
    await removeMeanwhile(b)
    await Promise.all(waits)
  }
})

test('removal of an interface that was down rejects who waits', async (t) => {
  const { b } = network(t)
  const [one, other, idle] = [captureOn(t, b), captureOn(t, b), captureOn(t, b)]
  const pending = one.readable(soon())
  setDown(b)
  await t.throwsAsync(pending, { code: DOWN })
  // Opened while it is down: it never told that it went down.
  const late = captureOn(t, b)
  const waits = [
    t.throwsAsync(one.readable(soon()), { code: REMOVED }),
    t.throwsAsync(late.recv(soon()), { code: REMOVED }),
    t.throwsAsync(
      (async () => {
        for await (const batch of other) t.log(batch)
      })(),
      { code: REMOVED },
    ),
  ]
  await sleep(50)
  await removeMeanwhile(b)
  await Promise.all(waits)
  t.throws(() => idle.nextBatch(), { code: REMOVED })
  t.throws(() => one.nextBatchBlocking(5000), { code: REMOVED })
})

test('nextBatchBlocking() does not sleep through the removal of an interface that is down', (t) => {
  const { b } = network(t)
  const capture = captureOn(t, b)
  setDown(b)
  t.throws(() => capture.nextBatchBlocking(5000), { code: DOWN })
  spawn('sh', ['-c', `sleep 0.2; ip -n ${b.netns} link del ${b.name}`])
  const start = performance.now()
  t.throws(() => capture.nextBatchBlocking(30_000), { code: REMOVED })
  t.true(performance.now() - start < 15_000)
})

test('an interface that moves to another namespace is removed', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const events = eventsOf(capture)
  const pending = capture.readable(soon())
  await sleep(50)
  b.ip('link', 'set', b.name, 'netns', a.netns)
  await t.throwsAsync(pending, { code: REMOVED })
  await until(t, 'removed', () => events.includes('removed'))
})

test('frames that came just before the removal are delivered first', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const captures = [0, 1, 2].map(() => captureOn(t, b, { blockTimeoutMs: 60 }))
  const [polled, looped, blocked] = captures
  if (polled === undefined || looped === undefined || blocked === undefined) return
  await sendAll(injector, [frame(60, 1), frame(60, 2), frame(60, 3)])
  for (const capture of captures) await arrived(capture, 3)
  remove(b)
  const numbers: number[] = []
  const error = await t.throwsAsync(async () => {
    for (;;) numbers.push(...(await polled.recv(soon())).map((packet) => numberOf(packet.data)))
  })
  t.true(hasCode(error, REMOVED))
  t.deepEqual(numbers, [1, 2, 3])
  t.throws(() => polled.nextBatch(), { code: REMOVED })

  const more: number[] = []
  await t.throwsAsync(
    async () => {
      for await (const batch of looped) for (const packet of batch) more.push(numberOf(packet.data))
    },
    { code: REMOVED },
  )
  t.deepEqual(more, [1, 2, 3])

  const last: number[] = []
  t.throws(
    () => {
      for (;;) {
        using batch = blocked.nextBatchBlocking(5000)
        last.push(...[...(batch ?? [])].map((packet) => numberOf(packet.data)))
      }
    },
    { code: REMOVED },
  )
  t.deepEqual(last, [1, 2, 3])
})

test('losing the carrier is a linkDown event and no failure', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const events = eventsOf(capture)
  await sleep(50)
  const wait = capture.readable(soon())
  setDown(a)
  await until(t, 'linkDown', () => events.includes('linkDown'))
  t.is(capture.nextBatch(), undefined)
  await setUp(a, b)
  await until(t, 'linkUp', () => events.includes('linkUp'))
  await sendAll(injectorOn(t, a), [frame(60, 3)])
  await wait
  t.is((await receive(capture, 1)).length, 1)
  t.deepEqual(events, ['linkDown', 'linkUp'])
})

test('an interface that is down can be opened; packets come when it is up', async (t) => {
  const { a, b } = network(t)
  setDown(b)
  const capture = captureOn(t, b, { promiscuous: true })
  const wait = capture.recv(soon())
  await sleep(50)
  await setUp(b, a)
  await sendAll(injectorOn(t, a), [frame(60, 5)])
  t.deepEqual(
    (await wait).map((packet) => numberOf(packet.data)),
    [5],
  )
})

test('an injector keeps its frames while the link is down and sends them when it is up', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  setDown(a)
  t.is(injector.sendBatch([frame(60, 1), frame(60, 2), frame(60, 3)]), 3)
  for (let times = 0; times < 3; times++) t.throws(() => injector.flush(), { code: DOWN })
  await t.throwsAsync(injector.drained(soon()), { code: DOWN })
  t.throws(() => injector.waitDrained(1000), { code: DOWN })
  const { sent, rejected, pending } = injector.txStats()
  t.deepEqual({ sent, rejected, pending }, { sent: 0, rejected: 0, pending: 3 })
  await setUp(a, b)
  t.true(injector.send(frame(60, 4)))
  await injector.drained(soon())
  t.deepEqual(
    (await receive(capture, 4)).map((packet) => numberOf(packet.data)),
    [1, 2, 3, 4],
  )
  t.is(injector.txStats().sent, 4)
})

test('an injector on an interface that is gone says so', async (t) => {
  const { a } = network(t)
  const [up, down] = [injectorOn(t, a), injectorOn(t, a)]
  t.true(down.send(frame(60)))
  setDown(a)
  t.throws(() => down.flush(), { code: DOWN })
  remove(a)
  for (const injector of [up, down]) {
    injector.send(frame(60))
    t.throws(() => injector.flush(), { code: REMOVED })
    await t.throwsAsync(injector.drained(soon()), { code: REMOVED })
    t.throws(() => injector.waitDrained(1000), { code: REMOVED })
  }
})

/** Interfaces that go away: whoever waits is told, after the packets that came before. */
import test from 'ava'
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasCode } from '../../src/errors/netring-error.js'
import type { Capture } from '../../src/index.js'
import { frame, numberOf, numbers, upTo } from '../../testkit/frames.mjs'
import { DOWN, REMOVED, eventsOf, remove, removeMeanwhile, soon, until } from '../helpers/link.js'
import { network, setDown, setUp, type End } from '../helpers/network.js'
import { arrived, captureOn, injectorOn, sendAll } from '../helpers/traffic.js'
import { numbersOf } from '../helpers/views.js'

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

test('removal is told, after every frame, by a ring whose blocks last a millisecond', async (t) => {
  for (let times = 0; times < 8; times++) {
    const { a, b } = network(t)
    const injector = injectorOn(t, a)
    const captures = [0, 1, 2].map(() => captureOn(t, b, { blockSize: 65536, blockCount: 64, blockTimeoutMs: 1 }))
    const [waits, loops, blocks] = captures as [Capture, Capture, Capture]
    const seen: [number[], number[], number[]] = [[], [], []]
    const readers = [
      async () => {
        for (;;) {
          try {
            seen[0].push(...numbers(await waits.recv(soon())))
          } catch (error) {
            if (!hasCode(error, DOWN)) throw error
          }
        }
      },
      async () => {
        for await (const batch of loops) seen[1].push(...numbersOf(batch))
      },
    ].map((reader) => t.throwsAsync(reader, { code: REMOVED }))
    const sent = upTo(200 + times)
    await sendAll(
      injector,
      sent.map((number) => frame(60, number)),
    )
    for (const capture of captures) await arrived(capture, sent.length)
    await removeMeanwhile(b)
    await Promise.all(readers)
    t.throws(
      () => {
        for (;;) {
          try {
            using batch = blocks.nextBatchBlocking(10_000)
            if (batch !== undefined) seen[2].push(...numbersOf(batch))
          } catch (error) {
            if (!hasCode(error, DOWN)) throw error
          }
        }
      },
      { code: REMOVED },
    )
    for (const got of seen) t.deepEqual(got, sent)
    for (const capture of captures) capture.close()
  }
})

test('an interface that has another name goes down, comes up and is removed as before', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, b)
  const renamed: End = { ...b, name: 'other' }
  setDown(b)
  await t.throwsAsync(capture.readable(soon()), { code: DOWN })
  b.ip('link', 'set', b.name, 'name', renamed.name)
  await setUp(renamed, a)
  // Looks at the interface and sees that it is up: from now on going down is news again.
  const pending = capture.readable({ signal: AbortSignal.timeout(200) })
  await t.throwsAsync(pending, { any: true, name: 'TimeoutError' })
  await sendAll(injectorOn(t, a), [frame(60, 7)])
  t.is(numberOf((await capture.recv(soon()))[0]!.data), 7)
  const again = capture.readable(soon())
  setDown(renamed)
  await t.throwsAsync(again, { code: DOWN })
  await setUp(renamed, a)
  const reasons: string[] = []
  injector.on('rejected', ({ message }) => reasons.push(message))
  await sendAll(injector, [frame(1600)])
  t.regex(reasons[0] ?? '', /1500/, 'its MTU is known')
  remove(renamed)
  await t.throwsAsync(
    (async () => {
      for await (const batch of capture) t.log(batch)
    })(),
    { code: REMOVED },
  )
})

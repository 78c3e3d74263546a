/** close() from wherever it can be called: listeners, loops, promises, twice, while others wait. */
import test from 'ava'
import { setTimeout as sleep } from 'node:timers/promises'
import { NetringError, type Capture, type Injector } from '../src/index.js'
import { frame } from '../testkit/frames.mjs'
import { remove, soon } from './helpers/link.js'
import { network, setDown, type End, type Network } from './helpers/network.js'
import { captureOn, injectorOn, sendAll, until } from './helpers/traffic.js'

const CLOSED = { instanceOf: NetringError, code: 'ERR_NETRING_CLOSED' } as const

/** Counts 'close' events; what is closed twice tells it once. */
function closes(target: Capture | Injector): () => number {
  let count = 0
  const listener = (): void => {
    count++
  }
  ;(target as { on(event: 'close', listener: () => void): unknown }).on('close', listener)
  return () => count
}

function promiscuity(at: End): number {
  const [link] = JSON.parse(at.ip('-d', '-j', 'link', 'show', at.name)) as [{ promiscuity: number }]
  return link.promiscuity
}

/** What makes a capture close itself from a listener. */
const fromListener: Record<string, (net: Network, capture: Capture) => void> = {
  linkDown: ({ b }, capture) => {
    capture.on('linkDown', () => {
      capture.close()
      capture.close()
    })
    setDown(b)
  },
  removed: ({ b }, capture) => {
    capture.on('removed', () => {
      capture.close()
      capture.close()
    })
    remove(b)
  },
  'close, of another close()': (_, capture) => {
    capture.on('close', () => {
      capture.close()
    })
    capture.close()
  },
}

for (const [event, act] of Object.entries(fromListener)) {
  test.serial(`close() in a listener of ${event}`, async (t) => {
    const net = network(t)
    const capture = captureOn(t, net.b)
    const count = closes(capture)
    act(net, capture)
    t.true(await until(() => capture.closed && count() > 0))
    await t.throwsAsync(capture.readable(), CLOSED)
    t.throws(() => capture.nextBatch(), CLOSED)
    await sleep(20)
    t.is(count(), 1)
  })
}

test.serial('close() while many promises wait rejects each of them and frees everything at once', async (t) => {
  const { b } = network(t)
  const capture = captureOn(t, b, { promiscuous: true })
  const count = closes(capture)
  const waits = [capture.readable(), capture.recv(), capture.readable(soon()), capture.recv(soon())].map((wait) =>
    t.throwsAsync(wait, CLOSED),
  )
  const loops = [
    (async () => {
      for await (const batch of capture) t.log(batch)
    })(),
    (async () => {
      for await (const packet of capture.packetsAsync()) t.log(packet)
    })(),
    (async () => {
      for await (const batch of capture.readableStream()) t.log(batch)
    })(),
    (async () => {
      for await (const packet of capture.stream()) t.log(packet)
    })(),
  ]
  await sleep(10)
  capture.close()
  t.is(promiscuity(b), 0)
  capture.close()
  await Promise.all(waits)
  // A loop ends, it does not fail.
  await Promise.all(loops)
  t.is(count(), 1)
})

test.serial('close() from what a wait calls: then, an AbortSignal, the loop itself', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const byThen = captureOn(t, b)
  const other = byThen.recv()
  const closed = byThen.readable().then(() => {
    byThen.close()
  })
  const byAbort = captureOn(t, b)
  const controller = new AbortController()
  controller.signal.addEventListener('abort', () => {
    byAbort.close()
  })
  const aborted = [byAbort.recv({ signal: controller.signal }), byAbort.readable()]
  const byLoop = captureOn(t, b)
  let batches = 0
  const loop = (async () => {
    for await (const batch of byLoop) {
      batches++
      byLoop.close()
      t.true(batch.released)
    }
  })()
  const reason = new Error('enough')
  const rejections = [t.throwsAsync(aborted[0]!, { any: true }), t.throwsAsync(aborted[1]!, CLOSED)]
  controller.abort(reason)
  const [first] = await Promise.all(rejections)
  t.true(first === reason || (first as NetringError).code === 'ERR_NETRING_CLOSED')
  await sendAll(injector, [frame(60)])
  await closed
  // Woken by the same block: it has its copies, or came too late.
  const outcome = await other.then(
    (packets) => packets.length,
    (error: unknown) => (error as NetringError).code,
  )
  t.true(outcome === 1 || outcome === 'ERR_NETRING_CLOSED', String(outcome))
  await loop
  t.is(batches, 1)
})

test.serial("an injector closed in a listener of 'rejected'", async (t) => {
  const { a } = network(t)
  for (const call of [
    (injector: Injector) => {
      injector.flush()
      return Promise.resolve()
    },
    (injector: Injector) => injector.drained(),
    (injector: Injector) => {
      injector.waitDrained(1000)
      return Promise.resolve()
    },
    (injector: Injector) => injector.sendBatchAsync(Array.from({ length: 3000 }, () => frame(1600))),
  ]) {
    const injector = injectorOn(t, a, { frameCount: 4 })
    const count = closes(injector)
    injector.on('rejected', () => {
      injector.close()
      injector.close()
    })
    injector.sendBatch([frame(1600), frame(1600)])
    try {
      await call(injector)
    } catch (error) {
      t.like(error, { code: 'ERR_NETRING_CLOSED' })
    }
    t.true(injector.closed)
    t.throws(() => injector.flush(), CLOSED)
    await sleep(0)
    t.is(count(), 1)
  }
})

test.serial('an injector closed twice while promises wait', async (t) => {
  const { a } = network(t)
  a.run('tc', 'qdisc', 'add', 'dev', a.name, 'root', 'tbf', 'rate', '2kbit', 'burst', '1100b', 'limit', '3300b')
  const injector = injectorOn(t, a, { frameCount: 2 })
  const count = closes(injector)
  injector.sendBatch([frame(1000), frame(1000)])
  injector.flush()
  const waits = [
    injector.drained(),
    injector.sendBatchAsync(Array.from({ length: 100 }, () => frame(1000))),
    injector.drained(soon()),
  ].map((wait) => t.throwsAsync(wait, CLOSED))
  await sleep(20)
  injector.close()
  injector.close()
  await Promise.all(waits)
  t.is(count(), 1)
})

test.serial('counts are those of the end once a capture or an injector is closed', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  await sendAll(injector, [frame(60), frame(100), frame(1600)])
  t.true(await until(() => capture.cumulativeStats().packets === 2))
  capture.close()
  t.like(capture.cumulativeStats(), { packets: 2, drops: 0 })
  t.is(capture.stats().packets, 2)
  t.is(capture.stats().packets, 0)
  t.is(capture.cumulativeStats().packets, 2)
  const last = injector.txStats()
  t.like(last, { sent: 2, rejected: 1, pending: 0 })
  injector.close()
  t.deepEqual(injector.txStats(), last)
  t.is(injector.rejectedSlots, 1)
  t.is(injector.pendingCount, 0)
})

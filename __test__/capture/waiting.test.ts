/** Who waits is woken, sleeps while there is nothing, and is told of the end. */
import test from 'ava'
import { getEventListeners, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Batch } from '../../src/index.js'
import { frame, numbered, numberOf, upTo } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { comesToRest } from '../helpers/quiet.js'
import { captureOn, injectorOn, receive, sendAll } from '../helpers/traffic.js'

test.serial('a reader that sleeps while it holds the newest block is not woken', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  await sendAll(injectorOn(t, a), [frame(60)])
  await capture.readable()
  using batch = capture.nextBatch()
  t.is(batch?.length, 1)
  await comesToRest(t, () =>
    t.throwsAsync(capture.readable({ signal: AbortSignal.timeout(100) }), { any: true, name: 'TimeoutError' }),
  )
  await comesToRest(t, () => {
    t.is(capture.nextBatchBlocking(100), undefined)
  })
})

test.serial('aborting a wait rejects with the reason of the signal', async (t) => {
  const { b } = network(t)
  const capture = captureOn(t, b)
  const reason = new Error('enough')
  const controller = new AbortController()
  const waits = [
    capture.readable({ signal: controller.signal }),
    capture.recv({ signal: controller.signal }),
    (async () => {
      for await (const packet of capture.packetsAsync({ signal: controller.signal })) t.log(packet)
    })(),
  ]
  setTimeout(() => {
    controller.abort(reason)
  }, 20)
  for (const wait of waits) t.is(await t.throwsAsync(wait), reason)
  t.is(await t.throwsAsync(capture.readable({ signal: AbortSignal.abort(reason) })), reason)
})

test.serial('closing rejects who waits', async (t) => {
  const { b } = network(t)
  const capture = captureOn(t, b)
  const waits = [capture.readable(), capture.recv(), capture.readable()]
  setTimeout(() => {
    capture.close()
  }, 20)
  for (const wait of waits) await t.throwsAsync(wait, { code: 'ERR_NETRING_CLOSED' })
  await t.throwsAsync(capture.readable(), { code: 'ERR_NETRING_CLOSED' })
  t.throws(() => capture.nextBatch(), { code: 'ERR_NETRING_CLOSED' })
  t.throws(() => capture.nextBatchBlocking(), { code: 'ERR_NETRING_CLOSED' })
  t.throws(
    () => {
      capture.detachFilter()
    },
    { code: 'ERR_NETRING_CLOSED' },
  )
  capture.close()
  t.deepEqual([...capture.packets()], [])
})

test.serial('packets() ends by count, by time and at a moment', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  await sendAll(injector, numbered(10))
  t.deepEqual([...capture.packets({ count: 10 })].map(() => 1).length, 10)
  await sendAll(injector, [frame(60, 11), frame(60, 12)])
  const numbers: number[] = []
  for (const packet of capture.packets({ durationMs: 300 })) numbers.push(numberOf(packet.data))
  t.deepEqual(numbers, [11, 12])
  const start = performance.now()
  t.deepEqual([...capture.packets({ until: Date.now() + 100 })], [])
  t.true(performance.now() - start >= 98)
  t.deepEqual([...capture.packets({ count: 0 })], [])
  t.throws(() => [...capture.packets({ signal: AbortSignal.abort(new Error('no')) })], { message: 'no' })
  setTimeout(() => {
    injector.send(frame(60, 13))
    injector.flush()
  }, 20)
  for await (const packet of capture.packetsAsync({ count: 1 })) t.is(numberOf(packet.data), 13)
  for await (const packet of capture.packetsAsync({ durationMs: 30 })) t.fail(String(packet.length))
})

test.serial('streams deliver packets and batches', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  const writable = injector.writable()
  const packets = capture.stream({ signal: AbortSignal.timeout(5000) })
  for (let number = 0; number < 100; number++) writable.write(frame(60, number))
  writable.end()
  await once(writable, 'finish')
  let next = 0
  for await (const packet of packets as AsyncIterable<{ data: Buffer }>) {
    t.is(numberOf(packet.data), next++)
    if (next === 100) break
  }
  t.is(next, 100)
  await sendAll(injector, [frame(60, 7)])
  const reader = capture.readableStream().getReader()
  const { value } = await reader.read()
  t.is(numberOf(value?.at(0)?.data ?? Buffer.alloc(18)), 7)
  value?.release()
  await reader.cancel()
  t.false(capture.closed)
})

test.serial(
  'an aborted web stream rejects its reader with the reason, takes no packet and holds nothing',
  async (t) => {
    const { a, b } = network(t)
    const capture = captureOn(t, b)
    const injector = injectorOn(t, a)
    const reason = new Error('enough')
    const controller = new AbortController()
    const { signal } = controller
    const reader = capture.readableStream({ signal }).getReader()
    await sendAll(injector, [frame(60, 1)])
    const { value } = await reader.read()
    t.is(numberOf(value?.at(0)?.data ?? Buffer.alloc(18)), 1)
    value?.release()
    const pending = reader.read()
    setTimeout(() => {
      controller.abort(reason)
    }, 20)
    // A stream that went on would wait for ever.
    const late = setTimeout(() => {
      capture.close()
    }, 10_000)
    t.teardown(() => {
      clearTimeout(late)
    })
    t.is(await t.throwsAsync(pending), reason)
    t.is(await t.throwsAsync(reader.read()), reason)
    t.is(await t.throwsAsync(reader.closed), reason)
    t.is(await t.throwsAsync(capture.readableStream({ signal }).getReader().read()), reason)
    t.is(getEventListeners(signal, 'abort').length, 0)
    t.throws(() => capture.readableStream({ signal: 5 as never }), { code: 'ERR_INVALID_ARG_TYPE' })
    await sendAll(injector, [frame(60, 2)])
    t.is(numberOf((await capture.recv())[0]!.data), 2, 'nobody else has taken it')
    const other = new AbortController()
    await capture.readableStream({ signal: other.signal }).cancel()
    t.is(getEventListeners(other.signal, 'abort').length, 0)
  },
)

test.serial('a stream that is destroyed while it waits takes no packet more', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  const seen: number[] = []
  for (let round = 0; round < 10; round++) {
    const stream = capture.stream()
    t.is(stream.read(), null)
    await sleep(round)
    stream.destroy()
    await once(stream, 'close')
    await sendAll(injector, [frame(60, round)])
    seen.push(...(await receive(capture, 1)).map(({ data }) => numberOf(data)))
  }
  t.deepEqual(seen, upTo(10))
  t.is(capture.stats().packets, 10)
})

test.serial('a batch taken by nextBatch() while readable() waits leaves the next one to it', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockSize: 65536, blockCount: 64 })
  const injector = injectorOn(t, a)
  // Two blocks: one edge may stand for both, and whoever polls may take it.
  const frames = upTo(60).map((number) => frame(1514, number))
  let sent = 0
  for (let round = 0; round < 60; round++) {
    const wait = capture.readable({ signal: AbortSignal.timeout(20_000) })
    injector.sendBatch(frames)
    injector.flush()
    sent += frames.length
    let seen = 0
    while (seen === 0) seen += lengthOf(capture.nextBatch())
    await wait
    while (seen < frames.length) {
      await capture.readable({ signal: AbortSignal.timeout(20_000) })
      seen += lengthOf(capture.nextBatch())
    }
    t.is(seen, frames.length)
  }
  t.deepEqual(capture.cumulativeStats(), { packets: sent, drops: 0, freezeCount: 0 })
})

/** Packets of a batch that is not used any further. */
function lengthOf(batch: Batch | undefined): number {
  const length = batch?.length ?? 0
  batch?.release()
  return length
}

/** Loops over packets and batches: when they end, and what else they are. */
import test from 'ava'
import { frame, numberOf } from '../helpers/frames.js'
import { network } from '../helpers/network.js'
import { captureOn, injectorOn, sendAll } from '../helpers/traffic.js'

test('durationMs 0 gives no packet, blocking or not', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  await sendAll(injectorOn(t, a), [frame(60, 1)])
  await capture.readable({ signal: AbortSignal.timeout(10_000) })
  t.deepEqual([...capture.packets({ durationMs: 0 })], [])
  for await (const packet of capture.packetsAsync({ durationMs: 0 })) t.fail(String(packet.length))
  t.deepEqual(
    Array.from(capture.packets({ count: 1 }), (packet) => numberOf(packet.data)),
    [1],
  )
})

test('until is a time, whenever the loop begins', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const past = capture.packets({ until: Date.now() - 1 })
  const soon = capture.packetsAsync({ until: Date.now() + 20 })
  await sendAll(injectorOn(t, a), [frame(60, 1)])
  await capture.readable({ signal: AbortSignal.timeout(10_000) })
  t.deepEqual([...past], [])
  await new Promise((resolve) => setTimeout(resolve, 30))
  for await (const packet of soon) t.fail(String(packet.length))
  t.is(capture.nextBatch()?.length, 1)
})

test('iterators are iterable', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  await sendAll(injectorOn(t, a), [frame(60, 1)])
  for await (const batch of capture[Symbol.asyncIterator]()) {
    t.deepEqual(
      Array.from(batch[Symbol.iterator](), ({ length }) => length),
      [60],
    )
    break
  }
  const loop = capture.packets({ durationMs: 0 })[Symbol.iterator]() as IterableIterator<unknown>
  t.deepEqual([...loop], [])
})

test('recv() and web streams in a loop let timers run on a busy ring', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockSize: 65536, blockCount: 64, blockTimeoutMs: 1000 })
  await sendAll(
    injectorOn(t, a),
    Array.from({ length: 10_000 }, (_, number) => frame(60, number)),
  )
  for (const next of [
    () => capture.recv(),
    async () => {
      const reader = capture.readableStream().getReader()
      const { value } = await reader.read()
      value?.release()
      await reader.cancel()
    },
  ]) {
    let turns = 0
    const count = (): void => {
      turns++
      turn = setImmediate(count)
    }
    let turn = setImmediate(count)
    for (let times = 0; times < 5; times++) {
      await capture.readable({ signal: AbortSignal.timeout(10_000) })
      await next()
    }
    clearImmediate(turn)
    t.true(turns >= 5, String(turns))
  }
})

test('next() asked for several times at once gives batch after batch', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const loop = capture[Symbol.asyncIterator]()
  const asked = [loop.next(), loop.next(), loop.next()]
  const injector = injectorOn(t, a)
  const seen: unknown[] = []
  for (const next of asked) {
    await sendAll(injector, [frame(60)])
    seen.push((await next).value?.seqNum)
  }
  t.deepEqual(seen, [1, 2, 3])
  t.deepEqual(await loop.return?.(), { done: true, value: undefined })
  t.deepEqual(await loop.next(), { done: true, value: undefined })
})

/** Loops over packets and batches: when they end, and what else they are. */
import test from 'ava'
import type { Packet } from '../../src/index.js'
import { frame, numbered, numberOf, numbers, upTo } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { captureOn, injectorOn, receive, sendAll } from '../helpers/traffic.js'

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
  await sendAll(injectorOn(t, a), numbered(10_000))
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

test('a web stream cancelled as a batch comes takes none', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  for (let times = 0; times < 20; times++) {
    const reader = capture.readableStream().getReader()
    // The stream may have taken the batch first: then nothing is readable any more.
    const cancel = (): Promise<void> => reader.cancel()
    const cancelled = capture.readable({ signal: AbortSignal.timeout(500) }).then(cancel, cancel)
    const read = reader.read()
    await sendAll(injector, [frame(60, times)])
    await cancelled
    const { value } = await read
    const numbers = Array.from(value ?? [], (packet) => numberOf(packet.data))
    value?.release()
    if (value === undefined) {
      // Nobody was given it, so it is still there.
      await capture.readable({ signal: AbortSignal.timeout(5000) })
      const batch = capture.nextBatch()
      for (const packet of batch ?? []) numbers.push(numberOf(packet.data))
      batch?.release()
    }
    t.deepEqual(numbers, [times])
  }
})

test('return() ends a loop that waits, and a batch or packet that comes later is not lost', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const done = { done: true, value: undefined } as const
  for (const loop of [capture[Symbol.asyncIterator](), capture.packetsAsync()[Symbol.asyncIterator]()]) {
    const asked = [loop.next(), loop.next()]
    // Long enough for the first to wait.
    await new Promise((resolve) => setTimeout(resolve, 20))
    t.deepEqual(await loop.return?.(), done)
    t.deepEqual(await Promise.all(asked), [done, done])
    t.deepEqual(await loop.next(), done)
  }
  await sendAll(injectorOn(t, a), [frame(60, 7)])
  t.deepEqual(numbers(await receive(capture, 1)), [7])
})

test('return() ends one loop and leaves another that waits beside it', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const loops = [capture[Symbol.asyncIterator](), capture[Symbol.asyncIterator]()] as const
  const asked = loops.map((loop) => loop.next())
  await new Promise((resolve) => setTimeout(resolve, 20))
  await loops[0].return?.()
  await sendAll(injectorOn(t, a), [frame(60, 1)])
  const seen = await Promise.all(asked)
  t.deepEqual(
    seen.map(({ value }) => value?.length),
    [undefined, 1],
  )
  await loops[1].return?.()
})

test('packetsAsync() asked several times at once gives packet after packet and stops at its count', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const loop = capture.packetsAsync({ count: 5 })[Symbol.asyncIterator]()
  const asked = Array.from({ length: 7 }, async () => {
    const next = await loop.next()
    return next.done === true ? undefined : numberOf(next.value.data)
  })
  const injector = injectorOn(t, a)
  for (const number of upTo(8)) await sendAll(injector, [frame(60, number)])
  t.deepEqual(await Promise.all(asked), [0, 1, 2, 3, 4, undefined, undefined])
})

test('columns that nobody asks for any more are no longer filled', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockTimeoutMs: 1 })
  const { native } = capture as unknown as { native: { next: (wanted: number) => number } }
  const filled: number[] = []
  const next = native.next.bind(native)
  native.next = (wanted) => {
    filled.push(wanted)
    return next(wanted)
  }
  const injector = injectorOn(t, a)
  const packet = async (use: (packet: Packet) => unknown): Promise<void> => {
    await sendAll(injector, [frame(60)])
    const batch = (await capture[Symbol.asyncIterator]().next()).value!
    for (const packet of batch) use(packet)
    batch.release()
  }
  await packet((each) => each.copy())
  await packet((each) => each.data)
  const every = filled.at(-1)!
  for (let times = 0; times < 130; times++) await packet((each) => each.data)
  const few = filled.at(-1)!
  t.true(every > few && few > 0, `${every} ${few}`)
})

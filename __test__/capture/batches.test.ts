/** Batches: what they say of their packets, how they are taken, held and given back. */
import test from 'ava'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Capture } from '../../src/index.js'
import { PacketStatus } from '../../src/index.js'
import { frame, inner, numbered, numberOf, tagged } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { captureOn, injectorOn, receive, sendAll, sendAsOne, until } from '../helpers/traffic.js'

test.serial('columns, packets and copies say the same', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const frames = [frame(60, 1), tagged(70, inner), frame(1500, 3)]
  const batch = await sendAsOne(injectorOn(t, a), capture, frames)
  t.is(batch.length, 3)
  const { columns, buffer } = batch
  const copies = batch.copy()
  for (const [index, packet] of [...batch].entries()) {
    const copy = copies[index]
    const at = columns.offset[index] ?? 0
    const bytes = buffer.subarray(at, at + (columns.capturedLength[index] ?? 0))
    t.true(bytes.equals(frames[index] ?? Buffer.alloc(0)))
    t.true(packet.data.equals(bytes))
    t.deepEqual(JSON.parse(JSON.stringify(copy)), JSON.parse(JSON.stringify(packet)))
    t.is(
      packet.timestamp,
      BigInt(columns.seconds[index] ?? 0) * 1_000_000_000n + BigInt(columns.nanoseconds[index] ?? 0),
    )
    t.is(packet.rxhash, columns.rxhash[index] ?? -1)
    t.is(packet.vlanValid, ((columns.status[index] ?? 0) & PacketStatus.vlanValid) !== 0)
    t.is(packet.protocol, columns.protocol[index] ?? -1)
  }
  t.is(batch.firstTimestamp, copies[0]?.timestamp ?? 0n)
  t.is(batch.lastTimestamp, copies[2]?.timestamp ?? 0n)
  t.is(batch.at(-1)?.length, 1500)
  t.is(batch.at(3), undefined)
  t.is(batch.at(-4), undefined)
  const lone = batch.at(1)?.copy()
  batch.release()
  t.true(lone?.data.equals(frames[1] ?? Buffer.alloc(0)))
  t.is(lone?.vlanTci, inner.tci)
  t.true(copies[2]?.data.equals(frames[2] ?? Buffer.alloc(0)))
})

test.serial('timestamps are those of arrival', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const before = BigInt(Date.now()) * 1_000_000n
  await sendAll(injectorOn(t, a), [frame(60, 1), frame(60, 2)])
  const after = BigInt(Date.now() + 1) * 1_000_000n
  const [first, second] = await receive(capture, 2)
  t.true(first !== undefined && first.timestamp >= before && first.timestamp <= after)
  t.true(
    second !== undefined && first !== undefined && second.timestamp >= first.timestamp && second.timestamp <= after,
  )
})

test.serial('every timestamp source opens, and falls back to software where the hardware has no clock', async (t) => {
  const { a, b } = network(t)
  for (const timestampSource of ['software', 'rawHardware', 'systemHardware'] as const) {
    const capture = captureOn(t, b, { timestampSource })
    await sendAll(injectorOn(t, a), [frame(60)])
    const [packet] = await receive(capture, 1)
    t.true(packet !== undefined && Math.abs(packet.seconds - Date.now() / 1000) < 60, timestampSource)
    capture.close()
  }
})

test.serial('several batches are held at once and released in any order', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockSize: 65536, blockCount: 4 })
  const injector = injectorOn(t, a)
  const take = async (number: number): Promise<ReturnType<Capture['nextBatch']>> => {
    await sendAll(injector, [frame(60, number)])
    await capture.readable({ signal: AbortSignal.timeout(5000) })
    return capture.nextBatch()
  }
  const [first, second, third] = [await take(1), await take(2), await take(3)]
  t.deepEqual(
    [first, second, third].map((batch) => numberOf(batch?.at(0)?.data ?? Buffer.alloc(18))),
    [1, 2, 3],
  )
  second?.release()
  t.is(numberOf(first?.at(0)?.data ?? Buffer.alloc(18)), 1)
  third?.release()
  first?.release()
  for (let number = 4; number < 20; number++) {
    const batch = await take(number)
    t.is(numberOf(batch?.at(0)?.data ?? Buffer.alloc(18)), number)
    batch?.release()
  }
  t.is(capture.cumulativeStats().drops, 0)
})

test.serial('nextBatch() does not block, nextBatchBlocking() does, up to its time', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { pollTimeoutMs: 50 })
  t.is(capture.nextBatch(), undefined)
  const start = performance.now()
  t.is(capture.nextBatchBlocking(), undefined)
  t.true(performance.now() - start >= 49)
  t.is(capture.nextBatchBlocking(0), undefined)
  const injector = injectorOn(t, a)
  injector.send(frame(60))
  injector.flush()
  using batch = capture.nextBatchBlocking(5000)
  t.is(batch?.length, 1)
  await sleep(0)
})

test.serial('one batch a turn: a full ring does not starve timers', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockSize: 65536, blockCount: 64 })
  await sendAll(
    injectorOn(t, a),
    Array.from({ length: 4000 }, (_, number) => frame(600, number)),
  )
  let turns = 0
  const timer = setInterval(() => turns++, 0)
  let batches = 0
  for await (const batch of capture) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2)
    batches += batch.length > 0 ? 1 : 0
    if (batches === 20) break
  }
  clearInterval(timer)
  t.true(turns >= 10, `${String(turns)} turns of a timer in 20 batches`)
  t.false(capture.closed, 'leaving the loop does not close')
})

test.serial('for await releases each batch and ends on close', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockSize: 65536, blockCount: 4 })
  const injector = injectorOn(t, a)
  const seen: number[] = []
  let last: { readonly released: boolean } | undefined
  const reading = (async () => {
    for await (const batch of capture) {
      t.not(last?.released, false)
      last = batch
      for (const packet of batch) seen.push(numberOf(packet.data))
    }
  })()
  for (let number = 0; number < 10; number++) {
    await sendAll(injector, [frame(60, number)])
    await sleep(15)
  }
  await until(() => seen.length >= 10)
  capture.close()
  await reading
  t.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  t.true(last?.released)
})

test('the kernel passes no block over: it stops at one that is held, counts what it drops, and goes on with its release', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockSize: 65536, blockCount: 4 })
  const injector = injectorOn(t, a)
  const [sent, held] = [10, await sendAsOne(injector, capture, [frame(60)])]
  const before = capture.cumulativeStats().packets
  const rounds = 8
  let seen = 0
  const drain = (): void => {
    for (;;) {
      const batch = capture.nextBatchBlocking(50)
      if (batch === undefined) return
      seen += batch.length
      batch.release()
    }
  }
  for (let round = 0; round < rounds; round++) {
    await sendAll(injector, numbered(sent))
    drain()
  }
  const { packets, drops, freezeCount } = capture.cumulativeStats()
  t.true(drops > 0 && freezeCount > 0)
  t.is(packets - before, seen)
  t.is(packets - before + drops, rounds * sent, 'what was sent was seen or counted')
  held.release()
  seen = 0
  await sendAll(injector, [frame(60, 1)])
  drain()
  t.is(seen, 1)
})

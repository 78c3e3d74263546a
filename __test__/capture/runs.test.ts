/** Large blocks, which come as several batches. */
import test from 'ava'
import { Buffer } from 'node:buffer'
import { frame, numbered, numberOf } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { captureOn, injectorOn, sendAll } from '../helpers/traffic.js'

/** One block takes all that a test sends, and its timer leaves time to send it. */
const large = { blockSize: 1 << 22, blockCount: 2, blockTimeoutMs: 1000 } as const
const COUNT = 5000
const frames = numbered(COUNT)
/** `ret #0` and `ret #262144`. */
const nothing = [{ code: 6, jt: 0, jf: 0, k: 0 }]
const everything = [{ code: 6, jt: 0, jf: 0, k: 0x40000 }]

test('every packet of a large block is in one batch, in order, and gone with that batch alone', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, large)
  await sendAll(injectorOn(t, a), frames)
  const seen: number[] = []
  const numbers: number[] = []
  let before: { buffer: Buffer; release(): void } | undefined
  for (let batches = 0; seen.length < COUNT; batches++) {
    await capture.readable({ signal: AbortSignal.timeout(10_000) })
    const batch = capture.nextBatch()
    if (batch === undefined) throw new Error('no batch after readable()')
    t.true(batch.length <= 2048)
    numbers.push(batch.seqNum)
    const { offset, capturedLength } = batch.columns
    for (let i = 0; i < batch.length; i++) {
      t.is(capturedLength[i], 60)
      seen.push(numberOf(batch.buffer.subarray(offset[i], (offset[i] ?? 0) + 60)))
    }
    const { buffer } = batch
    t.true(buffer.length > 0)
    before?.release()
    t.is(before?.buffer.length ?? 0, 0, 'the batch before is gone,')
    t.is(batch.buffer.length, buffer.length, 'this one is not')
    before = {
      buffer,
      release: () => {
        batch.release()
      },
    }
  }
  before?.release()
  t.deepEqual(
    seen,
    Array.from({ length: COUNT }, (_, number) => number),
  )
  t.deepEqual(
    numbers,
    Array.from(numbers, (_, index) => index + 1),
  )
  t.true(numbers.length >= 3)
  t.deepEqual(capture.cumulativeStats(), { packets: COUNT, drops: 0, freezeCount: 0 })
})

test('a filter set in the middle of a block drops the rest of it, and the loop goes on', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { ...large, blockTimeoutMs: 300 })
  const injector = injectorOn(t, a)
  await sendAll(injector, frames)
  const seen: number[] = []
  let batches = 0
  for await (const batch of capture) {
    if (++batches === 1) {
      t.true(batch.length < COUNT)
      const inHand = Array.from(batch, (packet) => numberOf(packet.data))
      capture.setFilter(nothing)
      t.deepEqual(
        Array.from(batch, (packet) => numberOf(packet.data)),
        inHand,
        'what is held stays',
      )
      await sendAll(injector, [frame(60, 1_000_000)])
      capture.setFilter(everything)
      await sendAll(injector, [frame(60, 2_000_000)])
      continue
    }
    for (const packet of batch) seen.push(numberOf(packet.data))
    break
  }
  t.deepEqual(seen, [2_000_000])
})

test('headers overwritten in one batch lead to no packet of the next, and spoil no other', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, large)
  await sendAll(injectorOn(t, a), frames)
  await capture.readable({ signal: AbortSignal.timeout(10_000) })
  const batch = capture.nextBatch()
  if (batch === undefined) throw new Error('no batch after readable()')
  const { length, buffer } = batch
  // tp_next_offset of the first packet: as far as this batch goes, to the first packet of the next one.
  buffer.writeUInt32LE(buffer.length, 0)
  t.throws(() => batch.columns.rxhash, { code: 'ERR_NETRING_IO' })
  t.throws(() => batch.copy(), { code: 'ERR_NETRING_IO' })
  batch.release()
  const next = capture.nextBatch()
  t.is(next === undefined ? undefined : numberOf(next.at(0)?.data ?? Buffer.alloc(60)), length)
  next?.release()
})

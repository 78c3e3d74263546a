/** AF_PACKET: what is sent is received, by every way of reading, and counted. */
import assert from 'node:assert/strict'
import { frame, mixedLengths, numberOf, numbered } from '../frames.mjs'
import { check } from '../tap.mjs'
import { arrived, sendAll } from '../traffic.mjs'
import { pairs } from './network.mjs'
import { ends, openCapture, openInjector, pageSize, receive, roomy, same, send } from './place.mjs'

for (const [from, to] of [
  [ends.a, ends.b],
  [ends.b, ends.a],
]) {
  check(`600 frames of mixed lengths arrive in order, byte for byte, from ${from} to ${to}`, async (after) => {
    const capture = openCapture(after, roomy, to)
    const injector = openInjector(after, undefined, from)
    const frames = mixedLengths(600)
    await sendAll(injector, frames)
    same(await receive(capture, frames.length), frames)
    assert.deepEqual(capture.cumulativeStats(), { packets: frames.length, drops: 0, freezeCount: 0 })
    assert.equal(injector.txStats().sent, frames.length)
  })
}

check('frames of up to 9014 bytes pass byte for byte', async (after) => {
  const [from, to] = pairs.jumbo.ends
  const capture = openCapture(after, { ...roomy, profile: 'jumboFrames', blockSize: 4 << 20, blockCount: 16 }, to)
  const frames = mixedLengths(300, 9014)
  await send(frames, from)
  same(await receive(capture, frames.length), frames)
})

check('for await gives batches whose columns, headers and objects say the same', async (after) => {
  const capture = openCapture(after, roomy)
  const frames = mixedLengths(500)
  await send(frames)
  let seen = 0
  for await (const batch of capture) {
    const { offset, capturedLength, originalLength, seconds, nanoseconds } = batch.columns
    const { etherType } = batch.parse()
    for (const [index, packet] of [...batch].entries()) {
      const bytes = batch.buffer.subarray(offset[index], offset[index] + capturedLength[index])
      same([bytes, packet.data], [frames[seen], frames[seen]])
      assert.equal(originalLength[index], packet.originalLength)
      assert.equal(etherType[index], 0x88b5)
      assert.equal(BigInt(seconds[index]) * 1_000_000_000n + BigInt(nanoseconds[index]), packet.timestamp)
      seen += 1
    }
    if (seen === frames.length) break
  }
})

check('a ring of two blocks, each a page, loses and counts: sent is seen and dropped', async (after) => {
  const capture = openCapture(after, { blockSize: pageSize(), blockCount: 2 })
  await send(mixedLengths(2000))
  await arrived(capture, 2000)
  const { packets, drops } = capture.cumulativeStats()
  assert.equal(packets + drops, 2000)
  assert.ok(drops > 0)
  assert.equal((await receive(capture, packets)).length, packets)
})

check('a block that is no multiple of a page is refused by name, with the page size', (after) => {
  assert.throws(
    () => openCapture(after, { blockSize: pageSize() / 2, frameSize: 256 }),
    ({ code, message }) => code === 'ERR_NETRING_CONFIG' && message.includes(`${pageSize()} bytes`),
  )
})

for (const profile of ['default', 'highThroughput', 'lowLatency', 'lowMemory', 'jumboFrames']) {
  check(`profile ${profile} opens and receives`, async (after) => {
    const { Capture } = await import('netring')
    // As many blocks as a small machine has memory for.
    const capture = Capture.open(ends.b, { profile, blockCount: 8, ignoreOutgoing: true })
    after(() => capture.close())
    const frames = mixedLengths(50)
    await send(frames)
    same(await receive(capture, frames.length), frames)
  })
}

check('two captures of a fanout group share the packets, none twice', async (after) => {
  const open = (group) => openCapture(after, { ...roomy, fanout: { mode: 'loadBalance', group } })
  const first = open('unique')
  const second = open(first.fanoutId)
  await send(numbered(400))
  const got = [...(await receive(first, 200)), ...(await receive(second, 200))]
  assert.equal(first.stats().packets + second.stats().packets, 400)
  assert.equal(new Set(got.map(numberOf)).size, 400)
})

check('nextBatchBlocking() waits in this thread', async (after) => {
  const capture = openCapture(after)
  await send([frame(60, 7)])
  const batch = capture.nextBatchBlocking(30_000)
  assert.equal(numberOf(batch.at(0).data), 7)
})

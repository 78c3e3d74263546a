/** AF_PACKET: what is sent is received, by every way of reading, and counted. */
import assert from 'node:assert/strict'
import { Capture, ChannelCapture } from 'netring'
import { frames, ours, receive, same, send } from './frames.mjs'
import { check } from './harness.mjs'
import { pageSize, veth } from './system.mjs'

check('an Injector sends and a Capture receives 600 frames of mixed sizes byte for byte, both ways', async (after) => {
  veth(after)
  for (const [from, to, seed] of [
    ['va', 'vb', 1],
    ['vb', 'va', 2],
  ]) {
    const capture = Capture.open(to, { profile: 'lowMemory' })
    after(() => capture.close())
    const sent = frames(600, 1514, seed)
    await send(from, sent)
    same(await receive(capture, sent.length), sent)
    capture.close()
  }
})

check('frames of up to 9014 bytes pass byte for byte', async (after) => {
  veth(after, 'va', 'vb', 9000)
  const capture = Capture.open('vb', { profile: 'jumboFrames', blockCount: 4 })
  after(() => capture.close())
  const sent = frames(300, 9014)
  await send('va', sent)
  same(await receive(capture, sent.length), sent)
})

check('columns say of every packet what its object says', async (after) => {
  veth(after)
  const capture = Capture.open('vb', { profile: 'lowMemory' })
  after(() => capture.close())
  const sent = frames(500)
  await send('va', sent)
  let seen = 0
  while (seen < sent.length) {
    const batch = capture.nextBatchBlocking(30_000)
    assert.ok(batch, `${seen} packets came`)
    const { offset, capturedLength, originalLength, seconds, nanoseconds } = batch.columns
    for (let index = 0; index < batch.length; index++) {
      const packet = batch.at(index)
      if (!ours(packet.data)) continue
      const bytes = batch.buffer.subarray(offset[index], offset[index] + capturedLength[index])
      same([bytes, packet.data], [sent[seen], sent[seen]])
      assert.equal(originalLength[index], packet.originalLength)
      assert.equal(BigInt(seconds[index]) * 1_000_000_000n + BigInt(nanoseconds[index]), packet.timestamp)
      seen += 1
    }
    batch.release()
  }
})

check('a ring of two blocks, each a page, loses and counts: sent is seen and dropped', async (after) => {
  veth(after)
  const capture = Capture.open('vb', { blockSize: pageSize(), blockCount: 2 })
  after(() => capture.close())
  await send('va', frames(2000))
  const { packets, drops } = capture.cumulativeStats()
  assert.equal(packets + drops, 2000)
  assert.ok(drops > 0)
  assert.equal((await receive(capture, packets)).length, packets)
})

check('a block that is no multiple of a page is refused by name, with the page size', (after) => {
  veth(after)
  assert.throws(
    () => Capture.open('vb', { blockSize: pageSize() / 2, frameSize: 256 }),
    ({ code, message }) => code === 'ERR_NETRING_CONFIG' && message.includes(`${pageSize()} bytes`),
  )
})

for (const profile of ['default', 'highThroughput', 'lowLatency', 'lowMemory', 'jumboFrames']) {
  check(`profile ${profile} opens and receives`, async (after) => {
    veth(after)
    // As many blocks as the machine has memory for.
    const capture = Capture.open('vb', { profile, blockCount: 8 })
    after(() => capture.close())
    const sent = frames(50)
    await send('va', sent)
    same(await receive(capture, sent.length), sent)
  })
}

check('a ChannelCapture loses nothing while the event loop stands still', async (after) => {
  veth(after)
  const channel = ChannelCapture.open('vb', { capacity: 8192 })
  after(() => channel.close())
  const sent = frames(1000)
  await send('va', sent)
  const started = performance.now()
  while (performance.now() - started < 1000);
  const got = []
  const signal = AbortSignal.timeout(60_000)
  while (got.length < sent.length) {
    const { data } = await channel.recv({ signal })
    if (ours(data)) got.push(data)
  }
  same(got, sent)
  assert.equal(channel.overflowed, 0)
})

check('two captures of a fanout group share the packets, none twice', async (after) => {
  veth(after)
  const first = Capture.open('vb', { profile: 'lowMemory', fanout: { mode: 'loadBalance', group: 'unique' } })
  after(() => first.close())
  const second = Capture.open('vb', { profile: 'lowMemory', fanout: { mode: 'loadBalance', group: first.fanoutId } })
  after(() => second.close())
  await send('va', frames(400))
  assert.equal(first.stats().packets + second.stats().packets, 400)
  const got = [...(await receive(first, 200)), ...(await receive(second, 200))]
  assert.equal(new Set(got.map((frame) => frame.readUInt32BE(14))).size, 400)
})

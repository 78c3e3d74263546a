/** Importing, and packets there and back. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import * as netring from 'netring'
import { check, Skip } from './tap.mjs'
import { ends, frame, numberOf, openCapture, openInjector, receive, sendAll } from './network.mjs'

const warnings = []
process.on('warning', (warning) => warnings.push(warning))

check('require() and import give the same classes', () => {
  const required = createRequire(import.meta.url)('netring')
  for (const name of Object.keys(netring)) assert.equal(required[name], netring[name], name)
})

check('frames of many lengths arrive in order, byte for byte', async () => {
  const capture = openCapture({ blockSize: 262144, blockCount: 8 })
  const injector = openInjector()
  const frames = Array.from({ length: 500 }, (_, number) => frame(60 + ((number * 37) % 1455), number))
  await sendAll(injector, frames)
  const packets = await receive(capture, frames.length)
  assert.deepEqual(
    packets.map(({ data }) => numberOf(data)),
    frames.map((_, number) => number),
  )
  for (const [index, packet] of packets.entries()) assert.ok(packet.data.equals(frames[index]), `frame ${index}`)
  assert.deepEqual(capture.cumulativeStats(), { packets: frames.length, drops: 0, freezeCount: 0 })
  assert.equal(injector.txStats().sent, frames.length)
  capture.close()
  injector.close()
})

check('for await gives batches with columns and headers', async () => {
  const capture = openCapture()
  const injector = openInjector()
  const sending = sendAll(injector, [frame(60, 1), frame(100, 2), frame(1514, 3)])
  const seen = []
  for await (const batch of capture) {
    const { offset, capturedLength } = batch.columns
    const { etherType } = batch.parse()
    for (let i = 0; i < batch.length; i++) {
      seen.push([batch.buffer.readUInt32BE(offset[i] + 14), capturedLength[i], etherType[i]])
    }
    if (seen.length === 3) break
  }
  await sending
  assert.deepEqual(seen, [
    [1, 60, 0x88b5],
    [2, 100, 0x88b5],
    [3, 1514, 0x88b5],
  ])
  capture.close()
  injector.close()
})

check('a channel receives on a thread of its own', async () => {
  const channel = netring.ChannelCapture.open(ends.b, { profile: 'lowMemory', blockTimeoutMs: 5, ignoreOutgoing: true })
  const injector = openInjector()
  await sendAll(
    injector,
    Array.from({ length: 100 }, (_, number) => frame(60, number)),
  )
  const numbers = []
  while (numbers.length < 100) {
    const packet = await channel.recv({ signal: AbortSignal.timeout(10_000) })
    numbers.push(numberOf(packet.data))
  }
  assert.deepEqual(
    numbers,
    Array.from({ length: 100 }, (_, number) => number),
  )
  channel.close()
  injector.close()
})

check('AF_XDP takes frames on the queue and sends them back', async () => {
  let socket
  try {
    socket = netring.XdpSocket.open(ends.b)
  } catch (error) {
    if (error.code === 'ERR_NETRING_PERMISSION') throw new Skip('XDP takes root in the first user namespace')
    throw error
  }
  const capture = netring.Capture.open(ends.a, { profile: 'lowMemory', blockTimeoutMs: 5, ignoreOutgoing: true })
  const injector = openInjector()
  await sendAll(injector, [frame(60, 7)])
  const [packet] = await receive(socket, 1)
  assert.equal(numberOf(packet.data), 7)
  await sendAll(socket, [frame(60, 8)])
  const [answer] = await receive(capture, 1)
  assert.ok(answer.data.equals(frame(60, 8)))
  for (const each of [socket, capture, injector]) each.close()
})

check('nothing of this made the process warn', () => {
  // That require() takes modules of ES at all is what the oldest Node.js 22 that does warns of.
  const expected = process.versions.node.startsWith('22.12.') ? 1 : 0
  assert.equal(warnings.length, expected, String(warnings))
  if (expected) assert.match(warnings[0].message, /loading ES Module .* using require/)
})

/** What is received is what was sent: bytes, order, tags, lengths. */
import test from 'ava'
import { ETHERTYPE, frame, inner, numberOf, outer, tagged } from '../../testkit/frames.mjs'
import { tcpdump, testThatNeeds } from '../helpers/needs.js'
import { network } from '../helpers/network.js'
import { record } from '../helpers/tcpdump.js'
import { captureOn, injectorOn, receive, sendAll } from '../helpers/traffic.js'

test.serial('frames of every size arrive byte for byte', async (t) => {
  const { a, b } = network(t, { mtu: 65535 })
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a, { frameSize: 65549, frameCount: 32 })
  const sizes = [14, 15, 17, 59, 60, 61, 1499, 1500, 1514, 8999, 9000, 9014, 65000, 65001, 65535]
  const frames = sizes.map((size, index) => frame(size, index))
  await sendAll(injector, frames)
  const packets = await receive(capture, frames.length)
  t.deepEqual(
    packets.map((packet) => packet.length),
    sizes,
  )
  for (const [index, packet] of packets.entries()) {
    t.true(packet.data.equals(frames[index] ?? Buffer.alloc(0)), `frame of ${String(sizes[index])} bytes`)
    t.is(packet.originalLength, sizes[index] ?? -1)
    t.false(packet.truncated)
    t.is(packet.protocol, ETHERTYPE)
    t.is(packet.sourceAddress, '02:00:00:00:00:01')
    t.is(packet.direction, 'otherHost')
  }
})

test.serial('ten thousand frames arrive once each and in order', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockCount: 64, blockTimeoutMs: 100 })
  const injector = injectorOn(t, a)
  const frames = Array.from({ length: 10_000 }, (_, number) => frame(60 + (number % 1400), number))
  await sendAll(injector, frames)
  const packets = await receive(capture, frames.length)
  t.deepEqual(
    packets.map((packet) => numberOf(packet.data)),
    frames.map((_, number) => number),
  )
  t.true(packets.every((packet, index) => packet.data.equals(frames[index] ?? Buffer.alloc(0))))
  t.deepEqual(capture.cumulativeStats(), { packets: 10_000, drops: 0, freezeCount: 0 })
})

test.serial('VLAN tags are put back by default', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const frames = [tagged(60, inner), tagged(61, outer, inner), frame(60), tagged(1500, { tpid: 0x8100, tci: 0 })]
  await sendAll(injectorOn(t, a), frames)
  const packets = await receive(capture, frames.length)
  for (const [index, packet] of packets.entries()) {
    t.is(packet.data.toString('hex'), frames[index]?.toString('hex') ?? '')
    t.is(packet.originalLength, frames[index]?.length ?? -1)
    t.false(packet.truncated)
  }
  t.deepEqual(
    packets.map(({ vlanValid, vlanTpidValid, vlanTci, vlanTpid }) => [vlanValid, vlanTpidValid, vlanTci, vlanTpid]),
    [
      [true, true, inner.tci, inner.tpid],
      [true, true, outer.tci, outer.tpid],
      [false, false, 0, 0],
      [true, true, 0, 0x8100],
    ],
  )
})

test.serial("vlan: 'metadata' leaves the frame as the kernel made it", async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { vlan: 'metadata' })
  await sendAll(injectorOn(t, a), [tagged(60, inner), tagged(60, outer, inner)])
  const [single, double] = await receive(capture, 2)
  t.is(single?.data.toString('hex'), frame(60).toString('hex'))
  t.is(single?.vlanTci, inner.tci)
  t.is(double?.data.toString('hex'), tagged(60, inner).toString('hex'))
  t.is(double?.vlanTpid, outer.tpid)
})

test.serial('snapLen cuts, and truncated is true exactly when it did', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { snapLen: 64 })
  const frames = [frame(63), frame(64), frame(65), frame(1500), tagged(60, inner), tagged(62, inner)]
  await sendAll(injectorOn(t, a), frames)
  const packets = await receive(capture, frames.length)
  for (const [index, packet] of packets.entries()) {
    const sent = frames[index] ?? Buffer.alloc(0)
    t.is(packet.data.toString('hex'), sent.subarray(0, 64).toString('hex'))
    t.is(packet.originalLength, sent.length)
    t.is(packet.truncated, sent.length > 64)
  }
})

testThatNeeds(tcpdump, 'what tcpdump writes to a file is what is captured', async (t) => {
  const { a, b } = network(t)
  const frames = [frame(60, 1), tagged(100, inner), tagged(64, outer, inner), frame(1514, 2), frame(15)]
  const recording = await record(t, b, frames.length)
  const capture = captureOn(t, b)
  await sendAll(injectorOn(t, a), frames)
  const packets = await receive(capture, frames.length)
  const theirs = await recording.frames()
  t.deepEqual(
    packets.map((packet) => packet.data.toString('hex')),
    theirs,
  )
  t.deepEqual(
    theirs,
    frames.map((sent) => sent.toString('hex')),
  )
})

/** What is sent arrives, byte for byte and in order, whoever sends and whoever receives. */
import type { XdpSocket } from '../../src/index.js'
import { everyKind, frame, hex, numbered, numbers, upTo } from '../../testkit/frames.mjs'
import { tcpdump, testThatNeeds } from '../helpers/needs.js'
import { network } from '../helpers/network.js'
import { record } from '../helpers/tcpdump.js'
import { captureOn, injectorOn, receive, receiveNoMoreThan, sendAll } from '../helpers/traffic.js'
import { modes, xdpOn, xdpTest } from '../helpers/xdp.js'

/** Those that fit a frame. */
const fitting = (): Buffer[] => everyKind().filter(({ length }) => length <= 1514)

for (const attach of modes) {
  xdpTest(`${attach} mode receives what an injector sends`, async (t) => {
    const { a, b } = network(t)
    const socket = xdpOn(t, b, { mode: 'rx', attach })
    t.is(socket.attached, attach)
    t.false(socket.zeroCopy)
    // Of a tag in the device's metadata nothing comes in skb mode.
    const frames = attach === 'native' ? fitting() : fitting().filter((bytes) => bytes.readUInt16BE(12) === 0x88b5)
    await sendAll(injectorOn(t, a), frames)
    const packets = await receiveNoMoreThan(socket, frames.length)
    t.deepEqual(hex(packets.map(({ data }) => data)), hex(frames))
    for (const [index, packet] of packets.entries()) {
      t.is(packet.length, frames[index]!.length)
      t.is(packet.originalLength, frames[index]!.length)
      t.is(packet.sourceAddress, '02:00:00:00:00:01')
      t.is(packet.protocol, frames[index]!.readUInt16BE(12))
      t.is(packet.direction, 'host')
      t.true(Math.abs(Number(packet.timestamp / 1_000_000n) - Date.now()) < 60_000)
    }
    t.deepEqual(socket.cumulativeStats(), { packets: frames.length, drops: 0, freezeCount: 0 })
  })

  xdpTest(`${attach} mode: a socket on each end, both ways, 4096 frames each`, async (t) => {
    const { a, b } = network(t)
    const options = { attach, frameCount: 8192 }
    const [one, other] = [xdpOn(t, a, options), xdpOn(t, b, options)]
    const frames = upTo(4096).map((number) => frame(60 + (number % 1400), number))
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      t.is(from.sendBatch(frames), 4096)
      t.false(from.send(frames[0]!), 'every slot is taken')
      await from.drained({ signal: AbortSignal.timeout(10_000) })
      const packets = await receive(to, 4096)
      t.is(packets.length, 4096)
      t.true(packets.every(({ data }, index) => data.equals(frames[index]!)))
    }
    t.is(one.txStats().sent, 4096)
    t.deepEqual(other.stats(), { packets: 4096, drops: 0, freezeCount: 0 })
  })
}

xdpTest('lo has skb mode only, and gives back what is sent on it', async (t) => {
  const { a } = network(t)
  a.ip('link', 'set', 'lo', 'up')
  const lo = { ...a, name: 'lo' }
  t.throws(() => xdpOn(t, lo, { attach: 'native' }), { code: 'ERR_NETRING_XDP_PROGRAM', message: /attach 'skb'/ })
  const socket = xdpOn(t, lo)
  t.is(socket.attached, 'skb')
  // Of a tag in the device's metadata nothing comes in skb mode.
  const frames = fitting().filter((bytes) => bytes.readUInt16BE(12) === 0x88b5)
  t.is(socket.sendBatch(frames), frames.length)
  t.is(socket.flush(), frames.length)
  const packets = await receiveNoMoreThan(socket, frames.length)
  t.deepEqual(hex(packets.map(({ data }) => data)), hex(frames))
})

const ways: Record<string, (socket: XdpSocket, frames: readonly Buffer[]) => void> = {
  'send()': (socket, frames) => {
    for (const bytes of frames) socket.send(bytes)
  },
  'sendBatch() of one buffer': (socket, frames) => {
    const bytes = Buffer.alloc(1600 * frames.length)
    for (const [index, one] of frames.entries()) one.copy(bytes, index * 1600)
    const lengths = frames.map(({ length }) => length)
    socket.sendBatch(bytes, lengths, 1600)
  },
  slots: (socket, frames) => {
    for (const bytes of frames) {
      const slot = socket.allocate(bytes.length)!
      bytes.copy(slot.data)
      slot.send()
    }
  },
}

for (const [way, put] of Object.entries(ways)) {
  xdpTest(`mode tx needs no program, and a capture sees what it sends: ${way}`, async (t) => {
    const { a, b } = network(t)
    const capture = captureOn(t, b)
    const socket = xdpOn(t, a, { mode: 'tx' })
    t.is(socket.attached, 'none')
    const frames = fitting()
    put(socket, frames)
    t.is(socket.pendingCount, frames.length)
    t.is(socket.flush(), frames.length)
    await socket.drained({ signal: AbortSignal.timeout(5000) })
    const packets = await receive(capture, frames.length)
    t.deepEqual(hex(packets.map(({ data }) => data)), hex(frames))
    const bytes = frames.reduce((sum, { length }) => sum + length, 0)
    t.deepEqual(socket.txStats(), { sent: frames.length, rejected: 0, pending: 0, bytes })
  })
}

testThatNeeds(tcpdump, 'tcpdump at the far end sees the bytes that were sent over AF_XDP', async (t) => {
  const { a, b } = network(t)
  const frames = fitting()
  const recording = await record(t, b, frames.length)
  const socket = xdpOn(t, a, { mode: 'tx' })
  await socket.sendBatchAsync(frames)
  await socket.drained()
  t.deepEqual(await recording.frames(), hex(frames))
})

xdpTest('all four queues of an interface behind one object', async (t) => {
  const { a, b } = network(t, { queues: 4 })
  const socket = xdpOn(t, b, { queues: 'all', mode: 'rx' })
  t.deepEqual(socket.queues, [0, 1, 2, 3])
  for (const queue of upTo(4)) {
    const sender = xdpOn(t, a, { queues: queue, mode: 'tx' })
    await sender.sendBatchAsync(numbered(500, queue * 500))
    await sender.drained()
    sender.close()
  }
  const got = numbers(await receiveNoMoreThan(socket, 2000))
  t.deepEqual(
    got.toSorted((one, other) => one - other),
    upTo(2000),
  )
  for (const queue of upTo(4)) {
    const own = got.filter((number) => Math.floor(number / 500) === queue)
    t.deepEqual(
      own,
      upTo(500).map((number) => queue * 500 + number),
      'in order within a queue',
    )
  }
})

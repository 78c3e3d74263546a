/** A channel over AF_XDP gives what one over AF_PACKET gives, and refuses what only a packet socket has. */
import test from 'ava'
import { ChannelCapture, XdpSocket, type OwnedPacket } from '../../src/index.js'
import { receiveMany } from '../helpers/channel.js'
import { hex, numbered, numberOf, upTo } from '../../testkit/frames.mjs'
import { DOWN, remove, REMOVED, soon } from '../helpers/link.js'
import { network } from '../helpers/network.js'
import { injectorOn, sendAll } from '../helpers/traffic.js'
import { modes, programOn, small, xdpTest } from '../helpers/xdp.js'

for (const attach of modes) {
  xdpTest(`frames arrive in order, byte for byte: attach '${attach}'`, async (t) => {
    const { a, b } = network(t)
    const channel = ChannelCapture.openXdp(b.name, { attach, netns: b.netns, queues: 'all' })
    t.teardown(() => {
      channel.close()
    })
    t.is(channel.linkType, 'ethernet')
    const frames = numbered(2000)
    await sendAll(injectorOn(t, a), frames)
    const packets: OwnedPacket[] = [await channel.recv(soon())]
    for await (const packet of channel) {
      packets.push(packet)
      if (packets.length === 1000) break
    }
    packets.push(...(await receiveMany(channel, 1000)))
    t.deepEqual(hex(packets.map(({ data }) => data)), hex(frames))
    t.is(channel.cumulativeStats().packets, 2000)
    t.true(programOn(b))
    channel.close()
    t.false(programOn(b))
  })
}

xdpTest('stopAndDrain() gives what came before', async (t) => {
  const { a, b } = network(t)
  const channel = ChannelCapture.openXdp(b.name, { netns: b.netns, capacity: 4096 })
  t.teardown(() => {
    channel.close()
  })
  await sendAll(injectorOn(t, a), numbered(500))
  const packets = await channel.stopAndDrain()
  t.deepEqual(
    packets.map(({ data }) => numberOf(data)),
    upTo(500),
  )
  t.true(channel.closed)
})

xdpTest('what only a packet socket has is refused', (t) => {
  const { b } = network(t)
  using channel = ChannelCapture.openXdp(b.name, { netns: b.netns })
  const unsupported = { code: 'ERR_NETRING_UNSUPPORTED', message: /AF_XDP has no ring/ }
  t.throws(() => channel.fd, unsupported)
  t.throws(() => channel.ring, unsupported)
  t.throws(() => {
    channel.attachFanoutProgram([{ code: 6, jt: 0, jf: 0, k: 0 }])
  }, unsupported)
  t.is(channel.fanoutId, undefined)
})

test('ChannelCapture.openXdp() names the option that is wrong, and opens nothing', (t) => {
  const open = (options: object) => () => ChannelCapture.openXdp('lo', options)
  for (const key of ['mode', 'txSize', 'completionSize', 'blockSize', 'unknown']) {
    t.throws(open({ [key]: 1 }), { code: 'ERR_INVALID_ARG_VALUE', message: new RegExp(`options\\.${key} is not`) })
  }
  t.throws(open({ capacity: 0 }), { code: 'ERR_OUT_OF_RANGE', message: /options\.capacity/ })
  t.throws(open({ frameSize: 1000 }), { code: 'ERR_NETRING_CONFIG', message: /options\.frameSize/ })
  t.throws(open({ whenFull: 'never' }), { code: 'ERR_INVALID_ARG_VALUE', message: /options\.whenFull/ })
})

const lost = { code: 'ERR_NETRING_XDP_PROGRAM' }

xdpTest('a program that somebody replaced ends waits, and stopAndDrain() ends without it', async (t) => {
  const { b } = network(t, { queues: 2 })
  const open = (): ChannelCapture => ChannelCapture.openXdp(b.name, { netns: b.netns, queues: 0 })
  const replace = (): XdpSocket => XdpSocket.open(b.name, { ...small, netns: b.netns, queues: 1, replace: true })
  {
    using channel = open()
    using other = replace()
    t.is(other.attached, 'native')
    await t.throwsAsync(channel.recv(soon()), lost)
    await t.throwsAsync(channel.recv(soon()), lost, 'and every later wait')
  }
  using channel = open()
  using other = replace()
  t.is(other.attached, 'native')
  t.deepEqual(await channel.stopAndDrain(), [])
  t.true(channel.closed)
})

xdpTest(
  'a link that goes down is told to a waiting reader once, and one that is removed ends the channel',
  async (t) => {
    const { a, b } = network(t)
    using channel = ChannelCapture.openXdp(b.name, { netns: b.netns })
    const waiting = channel.recv(soon())
    b.ip('link', 'set', b.name, 'down')
    await t.throwsAsync(waiting, { code: DOWN })
    b.ip('link', 'set', b.name, 'up')
    await sendAll(injectorOn(t, a), numbered(1))
    t.is(numberOf((await channel.recv(soon())).data), 0)
    const last = channel.recv(soon())
    remove(b)
    await t.throwsAsync(last, { code: REMOVED })
  },
)

/** A filter of an AF_XDP socket: what it matches comes, the rest stays with the network stack. */
import { ChannelCapture, PacketFilter, type XdpOptions } from '../../src/index.js'
import { frame, hex, inner, numbered, numbers, outer, tagged, udp, upTo } from '../../testkit/frames.mjs'
import { drained, takeAll } from '../helpers/channel.js'
import { network } from '../helpers/network.js'
import { captureOn, injectorOn, receive, receiveFor, sendAll, until } from '../helpers/traffic.js'
import { modes, xdpOn, xdpTest } from '../helpers/xdp.js'

const odd = 'ether proto 0x88b5 and ether[17] & 1 = 1'

for (const attach of modes) {
  const options: XdpOptions = { mode: 'rx', attach }

  xdpTest(`it divides packets between socket and stack in ${attach} mode`, async (t) => {
    const { a, b } = network(t)
    const stack = captureOn(t, b)
    const socket = xdpOn(t, b, { ...options, filter: odd })
    const injector = injectorOn(t, a)
    await sendAll(injector, [...numbered(40), udp(1000, 53, 'question')])
    t.deepEqual(
      numbers(await receive(socket, 20)),
      upTo(40).filter((number) => number % 2 === 1),
    )
    const rest = await receive(stack, 21)
    t.deepEqual(
      numbers(rest.slice(0, 20)),
      upTo(40).filter((number) => number % 2 === 0),
    )
    t.is(rest.length, 21)
    t.is(socket.stats().packets, 20)
  })

  xdpTest(`a tag is in the bytes, and an expression finds it there, in ${attach} mode`, async (t) => {
    const { a, b } = network(t)
    // What its sender leaves to the hardware never gets into a frame's bytes on veth.
    a.run('ethtool', '-K', a.name, 'txvlan', 'off')
    const frames = [frame(60, 1), tagged(60, inner), tagged(80, outer, inner), udp(1000, 53, 'question')]
    const injector = injectorOn(t, a)
    for (const [expression, wanted] of attach === 'native'
      ? ([
          ['vlan', [1, 2]],
          ['vlan and vlan', [2]],
          ['vlan 4095 and ether[16:2] = 0x88b5', [1]],
          ['udp port 53 and not vlan', [3]],
        ] as const)
      : ([['udp port 53', [3]]] as const)) {
      const socket = xdpOn(t, b, { ...options, filter: PacketFilter.compile(expression) })
      await sendAll(injector, frames)
      const packets = await receive(socket, wanted.length)
      t.deepEqual(hex(packets.map(({ data }) => data)), hex(wanted.map((index) => frames[index]!)), expression)
      t.is(socket.stats().packets, wanted.length)
      socket.close()
    }
  })

  xdpTest(`a new filter lets no stray packet through and loses none, in ${attach} mode`, async (t) => {
    const { a, b } = network(t)
    const socket = xdpOn(t, b, { ...options, filter: odd })
    const injector = injectorOn(t, a)
    await sendAll(injector, numbered(100))
    await until(() => socket.cumulativeStats().packets === 50)
    socket.setFilter('ether proto 0x88b5 and ether[17] % 3 = 0')
    await sendAll(injector, numbered(20, 100))
    const expected = [
      ...upTo(100).filter((n) => n % 6 === 3),
      ...upTo(20).flatMap((n) => ((n + 100) % 3 === 0 ? n + 100 : [])),
    ]
    t.deepEqual(numbers(await receive(socket, expected.length)), expected)
    t.deepEqual(await receiveFor(socket, 30), [])
    socket.detachFilter()
    await sendAll(injector, numbered(10))
    t.deepEqual(numbers(await receive(socket, 10)), upTo(10))
    t.is(socket.attached, attach)
  })
}

xdpTest('what XDP cannot run, and a filter beside a program, are refused', (t) => {
  const { b } = network(t)
  const refused = { code: 'ERR_NETRING_FILTER' }
  for (const filter of [
    'inbound',
    'ifindex 3',
    'ip protochain 6',
    'tcp port',
    PacketFilter.compile('ip protochain 6'),
  ]) {
    t.throws(() => xdpOn(t, b, { filter }), refused)
  }
  t.throws(() => xdpOn(t, b, { mode: 'tx', filter: 'tcp' }), { code: 'ERR_NETRING_CONFIG', message: /options\.filter/ })
  t.throws(() => xdpOn(t, b, { program: { xskMapFd: 3 }, filter: 'tcp' }), {
    code: 'ERR_NETRING_CONFIG',
    message: /options\.filter does not go with options\.program/,
  })
  t.throws(() => xdpOn(t, b, { filter: { fd: 3 } as never }), {
    code: 'ERR_INVALID_ARG_TYPE',
    message: /^options\.filter/,
  })
  const sender = xdpOn(t, b, { mode: 'tx' })
  t.throws(
    () => {
      sender.setFilter('tcp')
    },
    { code: 'ERR_NETRING_CONFIG' },
  )
})

xdpTest('a filter that is refused leaves the one before', async (t) => {
  const { a, b } = network(t)
  const socket = xdpOn(t, b, { mode: 'rx', filter: odd })
  for (const filter of ['inbound', 'tcp port', 'tcp and udp']) {
    t.throws(
      () => {
        socket.setFilter(filter)
      },
      { code: 'ERR_NETRING_FILTER' },
    )
  }
  await sendAll(injectorOn(t, a), numbered(4))
  t.deepEqual(numbers(await receive(socket, 2)), [1, 3])
})

xdpTest('a channel over AF_XDP has a filter, too', async (t) => {
  const { a, b } = network(t)
  const channel = ChannelCapture.openXdp(b.name, { netns: b.netns, filter: odd })
  t.teardown(() => {
    channel.close()
  })
  const injector = injectorOn(t, a)
  await sendAll(injector, numbered(10))
  await drained(channel, 5)
  t.deepEqual(numbers(takeAll(channel)), [1, 3, 5, 7, 9])
  channel.setFilter('ether proto 0x88b5 and ether[17] < 2')
  await sendAll(injector, numbered(10))
  await drained(channel, 2)
  t.deepEqual(numbers(takeAll(channel)), [0, 1])
  t.throws(
    () => {
      channel.setFilter({ fd: 3 })
    },
    { code: 'ERR_INVALID_ARG_TYPE' },
  )
})

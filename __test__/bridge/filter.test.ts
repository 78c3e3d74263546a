/** A filter in a bridge: what it matches passes, the rest is dropped and counted. */
import test, { type ExecutionContext } from 'ava'
import { PacketFilter, type BridgeOptions } from '../../src/index.js'
import { frame, hex, inner, numbered, numbers, outer, tagged, udp, upTo } from '../../testkit/frames.mjs'
import { bridged, bridgeOn, counted, engines, listener, running, unaccounted } from '../helpers/bridged.js'
import { injectorOn, receive, receiveFor, sendAll } from '../helpers/traffic.js'
import { xdpTest } from '../helpers/xdp.js'

const odd = 'ether proto 0x88b5 and ether[17] & 1 = 1'

async function divides(t: ExecutionContext, options: BridgeOptions): Promise<void> {
  const hosts = bridged(t)
  const [atB, atA] = [listener(t, hosts.b), listener(t, hosts.a)]
  const bridge = bridgeOn(t, hosts, options)
  running(t, bridge)
  await sendAll(injectorOn(t, hosts.a), numbered(20))
  await sendAll(injectorOn(t, hosts.b), numbered(20))
  const { filter } = options
  const both = typeof filter === 'string' || filter instanceof PacketFilter
  const odds = upTo(20).filter((number) => number % 2 === 1)
  t.deepEqual(numbers(await receive(atB, 10)), odds)
  t.deepEqual(numbers(await receive(atA, both ? 10 : 20)), both ? odds : upTo(20))
  const there = await counted(bridge, 'aToB', ({ received, pending }) => received === 20 && pending === 0)
  t.like(there, { forwarded: 10, dropped: 10 })
  const back = await counted(bridge, 'bToA', ({ received, pending }) => received === 20 && pending === 0)
  t.like(back, both ? { forwarded: 10, dropped: 10 } : { forwarded: 20, dropped: 0 })
  t.is(unaccounted(there) + unaccounted(back), 0)
}

for (const [how, options] of engines) {
  test.serial(`both directions are filtered through ${how}`, (t) => divides(t, { ...options, filter: odd }))

  test.serial(`one direction is filtered through ${how}`, (t) =>
    divides(t, { ...options, filter: { aToB: PacketFilter.compile(odd) } }),
  )

  xdpTest(`both directions are filtered through ${how} over AF_XDP`, (t) =>
    divides(t, { ...options, backend: 'xdp', filter: odd }),
  )

  test.serial(`tagged frames match by their tags and pass whole through ${how}`, async (t) => {
    const hosts = bridged(t)
    const atB = listener(t, hosts.b)
    const bridge = bridgeOn(t, hosts, { ...options, filter: 'vlan and (vlan or ether[16:2] = 0x88b5)' })
    running(t, bridge)
    const frames = [frame(60, 1), tagged(60, inner), udp(1000, 53, 'question'), tagged(80, outer, inner)]
    await sendAll(injectorOn(t, hosts.a), frames)
    const packets = await receive(atB, 2)
    t.deepEqual(hex(packets.map(({ data }) => data)), hex([frames[1]!, frames[3]!]))
    t.like(await counted(bridge, 'aToB', ({ received, pending }) => received === 4 && pending === 0), { dropped: 2 })
  })
}

test.serial('a hook is asked about what the filter matches, and about nothing else', async (t) => {
  const hosts = bridged(t)
  const atB = listener(t, hosts.b)
  const asked: number[] = []
  const bridge = bridgeOn(t, hosts, {
    filter: odd,
    onPacket: ({ data }) => {
      asked.push(data.readUInt32BE(14))
      return asked.length % 2 === 1 ? 'forward' : frame(60, 1000)
    },
  })
  running(t, bridge)
  await sendAll(injectorOn(t, hosts.a), numbered(8))
  t.deepEqual(numbers(await receive(atB, 4)), [1, 1000, 5, 1000])
  t.deepEqual(asked, [1, 3, 5, 7])
  t.like(await counted(bridge, 'aToB', ({ received, pending }) => received === 8 && pending === 0), {
    forwarded: 4,
    dropped: 4,
  })
  t.deepEqual(await receiveFor(atB, 30), [])
})

for (const [how, options] of engines) {
  test.serial(`a filter that is none is refused before anything is forwarded through ${how}`, (t) => {
    const hosts = bridged(t)
    for (const [filter, code, message] of [
      ['tcp port', 'ERR_NETRING_FILTER', /character/],
      [{ bToA: 'inbound' }, 'ERR_NETRING_FILTER', /live/],
      [{ aToB: 7 }, 'ERR_INVALID_ARG_TYPE', /^options\.filter\.aToB/],
      [{ both: 'tcp' }, 'ERR_INVALID_ARG_VALUE', /^options\.filter\.both/],
      [7, 'ERR_INVALID_ARG_TYPE', /^options\.filter/],
    ] as const) {
      t.throws(() => bridgeOn(t, hosts, { ...options, filter: filter as never }), { code, message })
    }
    t.notThrows(() => bridgeOn(t, hosts, options), 'both interfaces are free')
  })
}

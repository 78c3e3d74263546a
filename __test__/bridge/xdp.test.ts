/** The same over AF_XDP: no offloads, one copy a frame. */
import { once } from 'node:events'
import { addon } from '../../src/addon/binding.js'
import type { BridgeOptions } from '../../src/index.js'
import { checkXdpOptions } from '../../src/xdp/options.js'
import {
  addresses,
  bridged,
  bridgeOn,
  counted,
  listener,
  node,
  running,
  start,
  unaccounted,
  type Bridged,
} from '../helpers/bridged.js'
import { frame, hex, inner, numbered, numberOf, numbers, outer, tagged, upTo } from '../../testkit/frames.mjs'
import { remove } from '../helpers/link.js'
import { programOn, xdpTest } from '../helpers/xdp.js'
import { injectorOn, receive, receiveNoMoreThan, sendAll, until } from '../helpers/traffic.js'

const engines: readonly (readonly [string, BridgeOptions])[] = [
  ['a native thread', { backend: 'xdp' }],
  ['a hook', { backend: 'xdp', onPacket: () => 'forward' }],
]

/** Hosts that leave nothing to their hardware: who sends into AF_XDP must not. */
function finished(hosts: Bridged): Bridged {
  for (const host of [hosts.a, hosts.b]) {
    host.run('ethtool', '-K', host.name, 'tx', 'off', 'tso', 'off', 'gso', 'off', 'txvlan', 'off')
  }
  return hosts
}

for (const [how, options] of engines) {
  xdpTest(`over AF_XDP frames pass byte for byte through ${how}, in both directions`, async (t) => {
    const hosts = finished(bridged(t))
    const [fromA, fromB] = [listener(t, hosts.b), listener(t, hosts.a)]
    const bridge = bridgeOn(t, hosts, options)
    running(t, bridge)
    const frames = [
      frame(14),
      frame(60, 1),
      frame(1514, 2),
      tagged(60, inner),
      tagged(1514, inner),
      tagged(90, outer, inner),
    ]
    await sendAll(injectorOn(t, hosts.a), frames)
    t.deepEqual(hex((await receiveNoMoreThan(fromA, frames.length)).map(({ data }) => data)), hex(frames))
    await sendAll(injectorOn(t, hosts.b), frames.toReversed())
    const back = await receiveNoMoreThan(fromB, frames.length)
    t.deepEqual(hex(back.map(({ data }) => data)), hex(frames.toReversed()))
    const { aToB, bToA } = bridge.stats()
    t.like(aToB, { received: frames.length, forwarded: frames.length, pending: 0 })
    t.like(bToA, { received: frames.length, forwarded: frames.length, pending: 0 })
  })

  xdpTest(`a side whose program somebody replaces ends a run over AF_XDP through ${how}`, async (t) => {
    const hosts = bridged(t)
    const bridge = bridgeOn(t, hosts, options)
    const state = running(t, bridge)
    const { native } = checkXdpOptions({ replace: true, netns: hosts.right.netns })
    const other = addon().NativeSharedProgram.prepare(hosts.right.name, native)
    t.teardown(() => {
      other.close()
    })
    other.attach()
    await until(() => state.failure !== undefined)
    t.like(state.failure, { code: 'ERR_NETRING_XDP_PROGRAM', interface: hosts.right.name })
  })

  xdpTest(`over AF_XDP a burst larger than the frames that send waits its turn through ${how}`, async (t) => {
    const hosts = finished(bridged(t))
    const far = listener(t, hosts.b)
    const bridge = bridgeOn(t, hosts, { ...options, a: { frameCount: 8192 }, b: { frameCount: 128 } })
    running(t, bridge)
    const [got] = await Promise.all([receive(far, 2000), sendAll(injectorOn(t, hosts.a), numbered(2000))])
    t.deepEqual(numbers(got), upTo(2000))
    const stats = await counted(bridge, 'aToB', ({ forwarded }) => forwarded === 2000)
    t.like(stats, { received: 2000, forwarded: 2000, ringFull: 0, rejected: 0, kernelDrops: 0 })
    t.is(unaccounted(stats), 0)
  })

  xdpTest(`over AF_XDP frames longer than the far MTU are counted and told by ${how}`, async (t) => {
    const hosts = finished(bridged(t))
    for (const side of [hosts.right, hosts.b]) side.ip('link', 'set', side.name, 'mtu', '1000')
    const far = listener(t, hosts.b)
    const bridge = bridgeOn(t, hosts, options)
    const told: string[] = []
    bridge.on('rejected', (error) => told.push(`${error.code} ${String(error.interface)}`))
    running(t, bridge)
    await sendAll(injectorOn(t, hosts.a), [frame(1400), frame(1000, 1)])
    t.deepEqual(numbers(await receiveNoMoreThan(far, 1)), [1])
    t.like(await counted(bridge, 'aToB', ({ received }) => received === 2), { forwarded: 1, tooLarge: 1 })
    t.true(await until(() => told.length === 1))
    t.deepEqual(told, [`ERR_NETRING_FRAME ${hosts.right.name}`])
  })

  for (const side of ['left', 'right'] as const) {
    xdpTest(`over AF_XDP the removal of the ${side} interface ends the run of ${how}`, async (t) => {
      const hosts = bridged(t)
      const bridge = bridgeOn(t, hosts, options)
      const run = bridge.run()
      remove(hosts[side])
      await t.throwsAsync(run, { code: 'ERR_NETRING_INTERFACE_REMOVED' })
    })
  }

  xdpTest(`over AF_XDP close() of ${how} takes both programs away`, async (t) => {
    const hosts = bridged(t)
    const shown = (): boolean[] => [hosts.left, hosts.right].map(programOn)
    const bridge = bridgeOn(t, hosts, options)
    t.deepEqual(shown(), [true, true])
    const run = bridge.run()
    bridge.close()
    t.deepEqual(shown(), [false, false])
    await t.notThrowsAsync(run)
  })
}

xdpTest('over AF_XDP a hook forwards, drops, edits and replaces', async (t) => {
  const hosts = finished(bridged(t))
  const far = listener(t, hosts.b)
  const bridge = bridgeOn(t, hosts, {
    backend: 'xdp',
    onPacket: ({ data }) => {
      const number = numberOf(data)
      if (number % 4 === 0) return 'drop'
      if (number % 4 === 1) return frame(80, 1000 + number)
      if (number % 4 === 2) data.writeUInt32BE(2000 + number, 14)
      return 'forward'
    },
  })
  running(t, bridge)
  await sendAll(injectorOn(t, hosts.a), numbered(40))
  const wanted = upTo(40)
    .filter((number) => number % 4 !== 0)
    .map((number) => number + ([0, 1000, 2000, 0][number % 4] ?? 0))
  t.deepEqual(numbers(await receiveNoMoreThan(far, wanted.length)), wanted)
  t.like(bridge.stats().aToB, { received: 40, forwarded: 30, dropped: 10 })
})

xdpTest('over AF_XDP TCP passes where the hosts leave nothing to their hardware', async (t) => {
  const hosts = finished(bridged(t))
  addresses(hosts)
  running(t, bridgeOn(t, hosts, { backend: 'xdp' }))
  const server = start(
    t,
    hosts.b,
    `const hash = require('node:crypto').createHash('sha256')
     require('node:net').createServer({ allowHalfOpen: true }, function (socket) {
       socket.on('data', (chunk) => hash.update(chunk)).on('end', () => socket.end(hash.digest('hex')))
       this.close()
     }).listen(5001, '10.9.0.2', () => console.log('listening'))`,
  )
  await once(server.stdout!, 'data')
  const answer = await node(
    t,
    hosts.a,
    `const bytes = require('node:crypto').randomBytes(4 << 20)
     const mine = require('node:crypto').createHash('sha256').update(bytes).digest('hex')
     let theirs = ''
     require('node:net').connect(5001, '10.9.0.2', function () { this.end(bytes) })
       .on('data', (text) => theirs += text).on('close', () => console.log(theirs === mine ? 'equal' : 'different'))`,
  )
  t.is(answer.trim(), 'equal')
})

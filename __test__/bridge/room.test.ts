/** Frames that do not fit, and a far side that has no room. */
import test from 'ava'
import type { BridgeDirection, NetringError } from '../../src/index.js'
import { bridged, bridgeOn, counted, engines, listener, running, unaccounted } from '../helpers/bridged.js'
import { frame, inner, numbered, numbers, tagged, upTo } from '../../testkit/frames.mjs'
import type { End } from '../helpers/network.js'
import { injectorOn, receive, receiveNoMoreThan, sendAll, until } from '../helpers/traffic.js'

/** As tc has it: how much at once, how much waits. */
function shape(at: End, rate: string, burst: string, limit: string): void {
  at.run('tc', 'qdisc', 'add', 'dev', at.name, 'root', 'tbf', 'rate', rate, 'burst', burst, 'limit', limit)
}

for (const [how, options] of engines) {
  test.serial(`frames longer than the far MTU are counted and told, and ${how} goes on`, async (t) => {
    const hosts = bridged(t, { mtu: 9000 })
    for (const side of [hosts.right, hosts.b]) side.ip('link', 'set', side.name, 'mtu', '1500')
    const far = listener(t, hosts.b)
    const bridge = bridgeOn(t, hosts, options)
    const told: [string, BridgeDirection, string | undefined][] = []
    bridge.on('rejected', (error: NetringError, direction) => told.push([error.code, direction, error.interface]))
    const state = running(t, bridge)
    const sent = [frame(60), frame(1514, 1), frame(1515, 2), frame(9014, 3), tagged(1514, inner), frame(60, 4)]
    await sendAll(injectorOn(t, hosts.a, { frameSize: 16_384, frameCount: 64 }), sent)
    t.is((await receiveNoMoreThan(far, 4)).length, 4)
    const stats = await counted(bridge, 'aToB', ({ received }) => received === sent.length)
    t.like(stats, { received: 6, forwarded: 4, tooLarge: 2, pending: 0 })
    t.is(unaccounted(stats), 0)
    t.true(await until(() => told.length === 2))
    t.deepEqual(told, Array(2).fill(['ERR_NETRING_FRAME', 'aToB', hosts.right.name]))
    t.is(state.failure, undefined)
  })

  test.serial(`a slow far side pushes back through ${how}, and nothing is lost that the ring holds`, async (t) => {
    const hosts = bridged(t)
    shape(hosts.right, '40mbit', '5kb', '20kb')
    const far = listener(t, hosts.b)
    const bridge = bridgeOn(t, hosts, options)
    running(t, bridge)
    const frames = upTo(1500).map((number) => frame(1000, number))
    const [got] = await Promise.all([receive(far, 1500, 20_000), sendAll(injectorOn(t, hosts.a), frames)])
    t.deepEqual(numbers(got), upTo(1500))
    const { aToB } = bridge.stats()
    t.like(aToB, { received: 1500, forwarded: 1500, ringFull: 0, kernelDrops: 0, pending: 0 })
    t.true(aToB.pushedBack > 0)
  })
}

test.serial('a full send buffer pushes back, too', async (t) => {
  const hosts = bridged(t)
  shape(hosts.right, '40mbit', '5kb', '2mb')
  const far = listener(t, hosts.b)
  const bridge = bridgeOn(t, hosts, { b: { frameCount: 8 } })
  running(t, bridge)
  const frames = upTo(1000).map((number) => frame(1000, number))
  const [got] = await Promise.all([receive(far, 1000, 20_000), sendAll(injectorOn(t, hosts.a), frames)])
  t.deepEqual(numbers(got), upTo(1000))
  const { aToB } = bridge.stats()
  t.like(aToB, { forwarded: 1000, ringFull: 0, kernelDrops: 0 })
  t.true(aToB.pushedBack > 0)
})

test.serial('while one direction is pushed back the other goes on', async (t) => {
  const hosts = bridged(t)
  shape(hosts.right, '100kbit', '5kb', '20kb')
  const back = listener(t, hosts.a)
  const bridge = bridgeOn(t, hosts)
  running(t, bridge)
  await sendAll(
    injectorOn(t, hosts.a),
    upTo(500).map((number) => frame(1000, number)),
  )
  await counted(bridge, 'aToB', ({ pushedBack }) => pushedBack > 0)
  const [got] = await Promise.all([receive(back, 2000), sendAll(injectorOn(t, hosts.b), numbered(2000))])
  t.deepEqual(numbers(got), upTo(2000))
  const { aToB } = bridge.stats()
  t.true(aToB.pending > 0 || aToB.received < 500, 'still not done')
})

test.serial('what does not fit the ring either is dropped by the kernel, and all is accounted for', async (t) => {
  const hosts = bridged(t)
  shape(hosts.right, '100kbit', '5kb', '20kb')
  const bridge = bridgeOn(t, hosts, { a: { blockSize: 65_536, blockCount: 2 } })
  running(t, bridge)
  await sendAll(
    injectorOn(t, hosts.a),
    upTo(1000).map((number) => frame(1000, number)),
  )
  await counted(bridge, 'aToB', ({ kernelDrops }) => kernelDrops > 0)
  const { aToB } = bridge.stats()
  t.true(aToB.kernelDrops > 500)
  t.is(unaccounted(aToB), 0)
  t.true(aToB.received + aToB.kernelDrops <= 1000)
})

test.serial('a frame for which there never is room is given up, and those behind it pass', async (t) => {
  const hosts = bridged(t)
  shape(hosts.right, '100mbit', '1000b', '20kb')
  const far = listener(t, hosts.b)
  const bridge = bridgeOn(t, hosts)
  const told: string[] = []
  bridge.on('rejected', (error) => told.push(error.message))
  running(t, bridge)
  const frames = upTo(40).map((number) => frame(number % 2 === 0 ? 1400 : 60, number))
  await sendAll(injectorOn(t, hosts.a), frames)
  const odd = upTo(40).filter((number) => number % 2 === 1)
  t.deepEqual(numbers(await receiveNoMoreThan(far, 20)), odd)
  const stats = await counted(bridge, 'aToB', ({ pending, received }) => received === 40 && pending === 0)
  t.like(stats, { forwarded: 20, ringFull: 20 })
  t.is(unaccounted(stats), 0)
  t.true(await until(() => told.length === 20))
  t.regex(told[0]!, /1400 bytes is dropped on the other side again and again/)
})

test.serial('frames that are refused are told of again and again', async (t) => {
  const hosts = bridged(t, { mtu: 9000 })
  for (const side of [hosts.right, hosts.b]) side.ip('link', 'set', side.name, 'mtu', '1500')
  const bridge = bridgeOn(t, hosts)
  let told = 0
  bridge.on('rejected', () => told++)
  running(t, bridge)
  const injector = injectorOn(t, hosts.a, { frameSize: 16_384, frameCount: 64 })
  for (let count = 1; count <= 20; count++) {
    await sendAll(injector, [frame(9000)])
    t.true(await until(() => told === count))
  }
  t.is(bridge.stats().aToB.tooLarge, 20)
})

test.serial('a frame that a block cannot hold is not sent on in part', async (t) => {
  const hosts = bridged(t, { mtu: 9000 })
  const far = listener(t, hosts.b)
  const bridge = bridgeOn(t, hosts, { a: { blockSize: 4096, blockCount: 64 } })
  const told: string[] = []
  bridge.on('rejected', (error) => told.push(error.message))
  running(t, bridge)
  await sendAll(injectorOn(t, hosts.a, { frameSize: 16_384, frameCount: 64 }), [frame(9000), frame(1000, 1)])
  t.deepEqual(numbers(await receiveNoMoreThan(far, 1)), [1])
  t.like(await counted(bridge, 'aToB', ({ received }) => received === 2), { forwarded: 1, tooLarge: 1 })
  t.true(await until(() => told.length === 1))
  t.regex(told[0]!, /^a frame of 9000 bytes was cut to \d+ by the ring/)
})

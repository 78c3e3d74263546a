/** Filters of a pool: each worker's source has it. */
import test from 'ava'
import { FanoutPool, PacketFilter } from '../../src/index.js'
import { frame, numbered, upTo } from '../../testkit/frames.mjs'
import { sorted } from '../helpers/fanout.js'
import { network } from '../helpers/network.js'
import { collected, module, poolOn } from '../helpers/pool.js'
import { captureOn, injectorOn, receive, sendAll } from '../helpers/traffic.js'
import { modes, xdpTest } from '../helpers/xdp.js'

const odd = 'ether proto 0x88b5 and ether[17] & 1 = 1'
const odds = upTo(256).filter((number) => number % 2 === 1)

for (const [what, filter] of [
  ['an expression', odd],
  ['a PacketFilter', PacketFilter.compile(odd)],
] as const) {
  test.serial(`${what} is every worker's`, async (t) => {
    const { a, b } = network(t)
    const pool = await poolOn(t, b, module('numbers'), { mode: 'loadBalance', capture: { filter } })
    const { shares, total } = collected<number>(pool)
    await sendAll(injectorOn(t, a), numbered(256))
    t.is(await total(128), 128)
    t.deepEqual(sorted(shares.flat()), odds)
    t.like(await pool.stats(), { packets: 128, drops: 0 })
  })
}

test.serial('host names that were looked up go to the workers with the filter', async (t) => {
  const { a, b } = network(t)
  const filter = await PacketFilter.compileAsync('ether proto 0x88b5 or host localhost')
  const pool = await poolOn(t, b, module('numbers'), { capture: { filter } })
  const { total } = collected<number>(pool)
  await sendAll(injectorOn(t, a), numbered(20))
  t.is(await total(20), 20)
})

test.serial('a pool whose expression is wrong does not start', async (t) => {
  const { b } = network(t)
  await t.throwsAsync(poolOn(t, b, module('numbers'), { capture: { filter: 'tcp port' } }), {
    code: 'ERR_NETRING_FILTER',
    message: /character/,
  })
})

for (const attach of modes) {
  xdpTest(`over AF_XDP the pool's program has the filter, in ${attach} mode`, async (t) => {
    const { a, b } = network(t, { queues: 2 })
    const stack = captureOn(t, b)
    const pool = await FanoutPool.start(b.name, module('numbers'), {
      backend: 'xdp',
      xdp: { mode: 'rx', attach, netns: b.netns, filter: odd },
    })
    t.teardown(() => pool.stop())
    const { shares, total } = collected<number>(pool)
    await sendAll(injectorOn(t, a), numbered(256))
    t.is(await total(128), 128)
    t.deepEqual(sorted(shares.flat()), odds)
    const rest = await receive(stack, 128)
    t.is(rest.length, 128, 'the stack has the others')
    t.deepEqual(rest[0]?.data, frame(60, 0))
  })
}

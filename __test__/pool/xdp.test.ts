/** A pool over AF_XDP: one program and one map for all workers, a queue or more for each. */
import { FanoutPool, NetringError, type FanoutPoolOptions } from '../../src/index.js'
import { openDescriptors } from '../helpers/arguments.js'
import { sorted } from '../helpers/fanout.js'
import { frame, numbered, upTo } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { collected, module } from '../helpers/pool.js'
import { injectorOn, sendAll, until } from '../helpers/traffic.js'
import { modes, programOn, xdpOn, xdpTest } from '../helpers/xdp.js'
import type { Failing } from './modules/fails.js'

const xdp = { mode: 'rx', frameCount: 2048 } as const

for (const attach of modes) {
  xdpTest(`each queue has a worker, and every frame arrives at one, in ${attach} mode`, async (t) => {
    const { a, b } = network(t, { queues: 2 })
    const pool = await FanoutPool.start(b.name, module('numbers'), {
      backend: 'xdp',
      xdp: { ...xdp, attach, netns: b.netns },
    })
    t.teardown(() => pool.stop())
    t.is(pool.workers.length, 2)
    t.is(pool.fanoutId, undefined)
    t.true(programOn(b))
    const { shares, total } = collected<number>(pool)
    const injector = injectorOn(t, a)
    await sendAll(injector, numbered(300))
    t.is(await total(300), 300)
    t.deepEqual(sorted(shares.flat()), upTo(300))
    const stats = await pool.stats()
    t.like(stats, { packets: 300, drops: 0 })
    t.deepEqual(
      stats.perWorker.map(({ packets }) => packets),
      shares.map(({ length }) => length),
    )
    await pool.stop()
    t.false(programOn(b))
    t.is((await pool.cumulativeStats()).packets, 300)
  })
}

xdpTest('fewer workers than queues share them; each socket has its own', async (t) => {
  const { a, b } = network(t, { queues: 4 })
  const pool = await FanoutPool.start(b.name, module('queues'), {
    backend: 'xdp',
    workers: 3,
    xdp: { ...xdp, netns: b.netns, queues: [3, 0, 1, 2] },
  })
  t.teardown(() => pool.stop())
  const got: unknown[] = []
  pool.on('message', (message, worker) => (got[worker] = message))
  t.true(await until(() => got.filter((message) => message !== undefined).length === 3))
  t.deepEqual(got, [[3, 2], [0], [1]])
  await sendAll(injectorOn(t, a), numbered(100))
  await until(() => false, 100)
  t.is((await pool.stats()).packets, 100)
})

xdpTest('a worker that fails is replaced and has its queue again', async (t) => {
  const { a, b } = network(t)
  const workerData: Failing = { how: 'later', number: 77 }
  const pool = await FanoutPool.start(b.name, module('fails'), {
    backend: 'xdp',
    restart: true,
    workerData,
    xdp: { ...xdp, netns: b.netns },
  })
  t.teardown(() => pool.stop())
  const { shares, total } = collected<number>(pool)
  let restarts = 0
  pool.on('restart', () => restarts++)
  const injector = injectorOn(t, a)
  await sendAll(injector, [frame(60, 77)])
  t.true(await until(() => restarts === 1))
  t.true(programOn(b))
  await sendAll(injector, numbered(50))
  t.is(await total(51), 51)
  t.deepEqual(shares, [[77, ...upTo(50)]])
  t.is((await pool.cumulativeStats()).packets, 51)
})

xdpTest('workers that know of the stop have their time: nothing comes any more, and none of them fails', async (t) => {
  const { a, b } = network(t, { queues: 2 })
  const pool = await FanoutPool.start(b.name, module('attentive'), { backend: 'xdp', xdp: { ...xdp, netns: b.netns } })
  t.teardown(() => pool.stop())
  const failures: unknown[] = []
  const posted: unknown[] = []
  pool.on('error', (error) => failures.push(error))
  pool.on('message', (message) => posted.push(message))
  const injector = injectorOn(t, a)
  await sendAll(injector, numbered(5))
  t.true(await until(() => posted.flat().length === 5))
  const stopped = pool.stop()
  await sendAll(injector, numbered(20))
  await stopped
  t.deepEqual(failures, [])
  await pool.finished()
  t.deepEqual(posted.slice(-2), ['stopped', 'stopped'])
  t.is((await pool.cumulativeStats()).packets, 5, 'what came later passed to the network stack')
  t.false(programOn(b))
})

xdpTest("a worker does not come back under somebody else's program, and its failure is told", async (t) => {
  const { b } = network(t, { queues: 2 })
  const pool = await FanoutPool.start(b.name, module('attentive'), {
    backend: 'xdp',
    restart: true,
    xdp: { ...xdp, netns: b.netns, queues: 0 },
  })
  t.teardown(() => pool.stop())
  let restarts = 0
  pool.on('restart', () => restarts++)
  const failed = new Promise<Error>((resolve) => pool.once('error', resolve))
  const other = xdpOn(t, b, { ...xdp, queues: 1, replace: true })
  const error = await failed
  t.like(error, { code: 'ERR_NETRING_XDP_PROGRAM' })
  t.regex(error.message, /program \d+ \("netring", native\) does not use this map/)
  t.is(restarts, 0)
  t.is(other.attached, 'native')
})

xdpTest('what cannot be is refused by name, and leaves neither program nor descriptor', async (t) => {
  const { b } = network(t)
  const start = (options: FanoutPoolOptions): Promise<FanoutPool> =>
    FanoutPool.start(b.name, module('idle'), {
      backend: 'xdp',
      ...options,
      xdp: { ...xdp, netns: b.netns, ...options.xdp },
    })
  await (await start({})).stop()
  const before = openDescriptors()
  for (const [options, code, words] of [
    [{ workers: 2 }, 'ERR_NETRING_CONFIG', 'options.workers is 2'],
    [{ mode: 'hash' }, 'ERR_NETRING_CONFIG', 'options.mode'],
    [{ capture: {} }, 'ERR_NETRING_CONFIG', 'options.capture'],
    [{ xdp: { mode: 'tx' } }, 'ERR_NETRING_CONFIG', 'options.xdp.mode'],
    [{ xdp: { frameCount: 0x1000000 } }, 'ERR_NETRING_CONFIG', 'options.xdp.frameCount'],
    [{ xdp: { queues: 4000 } }, 'ERR_NETRING_BIND', 'queue 4000'],
  ] as const) {
    const error = await t.throwsAsync(start(options as FanoutPoolOptions), { instanceOf: NetringError, code })
    t.true(error?.message.includes(words), error?.message)
    t.false(programOn(b))
  }
  const other = xdpOn(t, b, { frameCount: 256 })
  await t.throwsAsync(start({}), { code: 'ERR_NETRING_XDP_PROGRAM' })
  other.close()
  await until(() => openDescriptors() <= before)
  t.true(openDescriptors() <= before)
  await (await start({})).stop()
  t.false(programOn(b))
})

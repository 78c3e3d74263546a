/** How a pool ends: stopped, aborted, by itself; busy, blocked or idle. */
import test from 'ava'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { FanoutPool } from '../../src/index.js'
import { openDescriptors } from '../helpers/arguments.js'
import { flood } from '../helpers/child.js'
import { sorted } from '../helpers/fanout.js'
import { ETHERTYPE, numbered, upTo } from '../../testkit/frames.mjs'
import { network, type End } from '../helpers/network.js'
import { collected, counted, module, poolOn, posts } from '../helpers/pool.js'
import { injectorOn, sendAll, smallRing, until } from '../helpers/traffic.js'

const threads = (): number => readdirSync('/proc/self/task').length

function promiscuity(at: End): number {
  const [link] = JSON.parse(at.ip('-d', '-j', 'link', 'show', at.name)) as [{ promiscuity: number }]
  return link.promiscuity
}

for (const name of ['collect', 'numbers', 'blocking', 'waiting', 'idle']) {
  test.serial(`stop() ends workers that are busy, cleanly: module ${name}`, async (t) => {
    const { a, b } = network(t)
    const sending = await flood(t, a, [ETHERTYPE])
    const warnings: Error[] = []
    const warn = (warning: Error): void => {
      warnings.push(warning)
    }
    process.on('warning', warn)
    const pool = await poolOn(t, b, module(name), { capture: { promiscuous: true } })
    t.is(promiscuity(b), 2)
    pool.on('error', (error) => {
      t.fail(error.stack ?? error.message)
    })
    let closes = 0
    pool.on('close', () => closes++)
    await counted(pool, 1000)
    const stopped = pool.stop()
    t.is(pool.stop(), stopped)
    const finished = pool.finished()
    await stopped
    await finished
    t.is(pool.closed, true)
    t.is(closes, 1)
    t.is(promiscuity(b), 0)
    const { packets, perWorker } = await pool.cumulativeStats()
    t.true(packets >= 1000, 'counts are kept')
    t.is(
      perWorker.reduce((sum, worker) => sum + worker.packets, 0),
      packets,
    )
    await sending.stop()
    t.deepEqual(warnings, [])
    process.off('warning', warn)
  })
}

for (const name of ['blocking', 'waiting']) {
  test.serial(`a module that blocks its thread answers all the same: module ${name}`, async (t) => {
    const { a, b } = network(t)
    const pool = await poolOn(t, b, module(name), { mode: 'loadBalance' })
    const got = posts(pool)
    t.is((await pool.stats()).packets, 0)
    await sendAll(injectorOn(t, a), numbered(100))
    t.is((await counted(pool, 100)).packets, 100)
    const seen = (): number[] => got.flat(2).filter((value): value is number => typeof value === 'number')
    await until(() => seen().length >= 100)
    t.deepEqual(sorted(seen()), upTo(100))
    await pool.stop()
    if (name === 'waiting')
      t.deepEqual(
        got.map((messages) => messages.at(-1)),
        ['over', 'over'],
      )
  })
}

for (const workerData of ['waits', 'spins']) {
  test.serial(`a worker that takes no notice is terminated, and a warning says so: it ${workerData}`, async (t) => {
    const { b } = network(t)
    const pool = await poolOn(t, b, module('stubborn'), { workerData, stopTimeoutMs: 300 })
    const warning = once(process, 'warning', { signal: AbortSignal.timeout(20_000) })
    await pool.stop()
    t.like((await warning)[0], { code: 'NETRING_WORKER_TERMINATED' })
    t.is(pool.closed, true)
    await pool.finished()
  })
}

test.serial('a pool whose functions all return is closed', async (t) => {
  const { b } = network(t)
  const pool = await poolOn(t, b, module('speaks'), { workerData: new Map([['key', 1n]]), workers: 2 })
  const got = posts(pool)
  let closes = 0
  pool.on('close', () => closes++)
  await pool.finished()
  t.is(closes, 1)
  t.is(pool.closed, true)
  for (const [index, messages] of got.entries()) {
    const [first, ...rest] = messages
    t.deepEqual(first, { index, workers: 2, workerData: new Map([['key', 1n]]), isMainThread: false, closed: false })
    t.deepEqual(rest.slice(0, 1000), upTo(1000), 'in order')
    t.deepEqual(rest.slice(1000), [new Uint8Array([1, 2, 3]).buffer, 0, 'DataCloneError'])
  }
  await pool.stop()
  await pool.finished()
})

test.serial("the worker's own port is the module's and the caller's", async (t) => {
  const { b } = network(t)
  const pool = await poolOn(t, b, module('echo'))
  for (const [index, worker] of pool.workers.entries()) {
    const answer = once(worker, 'message', { signal: AbortSignal.timeout(10_000) })
    worker.postMessage(index)
    t.deepEqual(await answer, [['echo', index]])
  }
  await pool.stop()
  await pool.finished()
})

test.serial('aborting before, during and after the start', async (t) => {
  const { b } = network(t)
  const reason = new Error('no more')
  const start = (signal: AbortSignal, name = 'idle'): Promise<FanoutPool> =>
    FanoutPool.start(b.name, module(name), {
      workers: 2,
      signal,
      capture: { ...smallRing, netns: b.netns, promiscuous: true },
    })
  await t.throwsAsync(start(AbortSignal.abort(reason)), { is: reason })
  for (const ms of [0, 1, 20, 100]) {
    const abort = new AbortController()
    setTimeout(() => {
      abort.abort(reason)
    }, ms)
    try {
      const pool = await start(abort.signal)
      await pool.finished()
      t.is(pool.closed, true)
    } catch (error) {
      t.is(error, reason)
    }
    t.is(promiscuity(b), 0)
  }
  const hanging = new AbortController()
  const starting = start(hanging.signal, 'hangs')
  setTimeout(() => {
    hanging.abort(reason)
  }, 200)
  await t.throwsAsync(starting, { is: reason })
  const later = new AbortController()
  const pool = await start(later.signal)
  t.is(promiscuity(b), 2)
  later.abort(reason)
  await pool.finished()
  t.is(promiscuity(b), 0)
})

test.serial('await using stops the pool; finished() can be aborted', async (t) => {
  const { b } = network(t)
  let pool
  {
    await using scoped = await FanoutPool.start(b.name, module('idle'), {
      workers: 1,
      capture: { ...smallRing, netns: b.netns },
    })
    pool = scoped
    const reason = new Error('enough')
    await t.throwsAsync(pool.finished({ signal: AbortSignal.abort(reason) }), { is: reason })
    const abort = new AbortController()
    const finished = pool.finished({ signal: abort.signal })
    abort.abort(reason)
    await t.throwsAsync(finished, { is: reason })
    t.is(pool.closed, false)
  }
  t.is(pool.closed, true)
})

test.serial('thirty starts and stops leave no descriptor and no thread', async (t) => {
  t.timeout(240_000)
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const use = async (): Promise<void> => {
    const pool = await FanoutPool.start(b.name, module('collect'), {
      workers: 2,
      pinToCpus: true,
      capture: { ...smallRing, netns: b.netns, promiscuous: true },
    })
    const { total } = collected<string>(pool)
    await sendAll(injector, numbered(20))
    t.is(await total(20), 20)
    await pool.stop()
  }
  await use()
  await use()
  await sleep(200)
  const before = { descriptors: openDescriptors(), threads: threads() }
  for (let times = 0; times < 30; times++) await use()
  await until(() => openDescriptors() <= before.descriptors && threads() <= before.threads)
  t.deepEqual({ descriptors: openDescriptors(), threads: threads() }, before)
  t.is(promiscuity(b), 0)
})

test.serial('a worker that replaces its filter while the pool stops lets nothing in again', async (t) => {
  const { a, b } = network(t)
  const pool = await poolOn(t, b, module('refilters'))
  const got = posts(pool)
  const stopped = pool.stop()
  t.true(await until(() => got.every((messages) => messages.includes('replaced'))))
  await sendAll(injectorOn(t, a), numbered(200))
  await stopped
  t.deepEqual(got, [
    ['replaced', 0],
    ['replaced', 0],
  ])
})

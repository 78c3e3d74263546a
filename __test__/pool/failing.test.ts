/** Workers that fail: who is told, who takes their place, what has been counted. */
import test, { type ExecutionContext } from 'ava'
import { NetringError, type FanoutPool } from '../../src/index.js'
import { Backoff } from '../../src/pool/backoff.js'
import { step } from '../helpers/bpf.js'
import { runModule } from '../helpers/child.js'
import { sorted } from '../helpers/fanout.js'
import { frame, numbered, upTo } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { collected, module, poolOn } from '../helpers/pool.js'
import { injectorOn, sendAll, until } from '../helpers/traffic.js'
import type { Failing } from './modules/fails.js'

/** Even numbers go to worker 0, odd ones to worker 1, as long as there are two. */
const parity = { mode: 'cbpf', program: [step.loadByte(3), step.modulo(2), step.returnA] } as const

/** A frame that makes its worker fail; an odd one is at worker 1. */
const BOMB = 10_001

interface Way {
  readonly how: Failing['how']
  readonly check: (t: ExecutionContext, error: Error) => void
}

const ways: readonly Way[] = [
  {
    how: 'throws',
    check: (t, error) => {
      t.true(error instanceof RangeError)
      t.is(error.message, 'thrown on purpose')
      t.is((error as { code?: string }).code, 'ERR_ON_PURPOSE')
      t.regex(error.stack ?? '', /fails\.ts/)
    },
  },
  {
    how: 'netring',
    check: (t, error) => {
      t.true(error instanceof NetringError)
      t.like(error, { code: 'ERR_NETRING_IO', syscall: 'bind', errno: 5, interface: 'eth9' })
    },
  },
  {
    how: 'later',
    check: (t, error) => {
      t.true(error instanceof NetringError)
      t.like(error, { code: 'ERR_NETRING_FRAME', errno: 7, message: 'thrown on purpose' })
    },
  },
  {
    how: 'rejects',
    check: (t, error) => {
      t.is(error.message, 'thrown on purpose')
    },
  },
  {
    how: 'string',
    check: (t, error) => {
      t.regex(error.message, /'a string'/)
      t.is(error.cause, 'a string')
    },
  },
  {
    how: 'exits',
    check: (t, error) => {
      t.regex(error.message, /worker 1 ended with exit code 3 before/)
    },
  },
  {
    how: 'empty',
    check: (t, error) => {
      t.regex(error.message, /worker 1 ended with exit code 0 before/)
    },
  },
]

function failure(pool: FanoutPool): Promise<[error: Error, worker: number]> {
  return new Promise((resolve) => {
    pool.once('error', (...told) => {
      resolve(told)
    })
  })
}

for (const { how, check } of ways) {
  test.serial(`a worker that fails (${how}) is told of; the others take over its share, its counts stay`, async (t) => {
    const { a, b } = network(t)
    const injector = injectorOn(t, a)
    const workerData: Failing = { how, number: BOMB }
    const pool = await poolOn(t, b, module('fails'), { ...parity, workerData })
    const { shares, total } = collected<number>(pool)
    await sendAll(injector, numbered(100))
    await total(100)
    const told = failure(pool)
    await sendAll(injector, [frame(60, BOMB)])
    const [error, worker] = await told
    t.is(worker, 1)
    check(t, error)
    t.is(pool.closed, false)
    await t.throwsAsync(pool.finished(), { is: error })
    await sendAll(injector, numbered(100, 100))
    t.is(await total(201), 201)
    t.deepEqual(sorted(shares.flat()), [...upTo(200), BOMB])
    t.deepEqual(
      shares[1]!.filter((number) => number < BOMB),
      upTo(50).map((number) => 2 * number + 1),
    )
    t.deepEqual(
      (await pool.stats()).perWorker.map(({ packets }) => packets),
      [150, 51],
    )
    await pool.stop()
    t.is((await pool.cumulativeStats()).packets, 201)
  })

  test.serial(`a worker that fails (${how}) is replaced, and its place goes on counting`, async (t) => {
    const { a, b } = network(t)
    const injector = injectorOn(t, a)
    const workerData: Failing = { how, number: BOMB }
    const pool = await poolOn(t, b, module('fails'), { ...parity, workerData, restart: true })
    const { shares, total } = collected<number>(pool)
    const group = pool.fanoutId
    const restarts: [worker: number, cause: Error][] = []
    pool.on('restart', (...told) => restarts.push(told))
    pool.on('error', (error) => {
      t.fail(error.stack ?? error.message)
    })
    let sent = 0
    const before = pool.workers[1]
    for (let round = 1; round <= 2; round++) {
      await sendAll(injector, [...numbered(100, sent), frame(60, BOMB)])
      sent += 100
      t.true(await until(() => restarts.length === round))
      const [worker, cause] = restarts.at(-1)!
      t.is(worker, 1)
      check(t, cause)
    }
    t.not(pool.workers[1], before)
    t.is(pool.fanoutId, group)
    await sendAll(injector, numbered(100, sent))
    t.is(await total(302), 302)
    t.deepEqual(sorted(shares.flat()), [...upTo(300), BOMB, BOMB])
    t.deepEqual(
      (await pool.stats()).perWorker.map(({ packets }) => packets),
      [150, 152],
    )
    t.is((await pool.stats()).packets, 0)
    t.is((await pool.cumulativeStats()).packets, 302)
  })
}

test.serial('the only worker is replaced, in a group of its own again', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const workerData: Failing = { how: 'exits', number: BOMB }
  const pool = await poolOn(t, b, module('fails'), { workers: 1, workerData, restart: true })
  const { total } = collected<number>(pool)
  let restarts = 0
  pool.on('restart', () => restarts++)
  await sendAll(injector, [frame(60, BOMB)])
  t.true(await until(() => restarts === 1))
  await sendAll(injector, numbered(50))
  t.is(await total(51), 51)
})

test.serial('workers that fail together come back together, and nobody gets what another one has', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const workerData: Failing = { how: 'later', number: BOMB }
  const pool = await poolOn(t, b, module('fails'), { workers: 4, mode: 'loadBalance', workerData, restart: true })
  const { shares, total } = collected<number>(pool)
  const restarted = new Set<number>()
  pool.on('restart', (worker) => restarted.add(worker))
  await sendAll(
    injector,
    [0, 1, 2, 3].map(() => frame(60, BOMB)),
  )
  t.true(await until(() => restarted.size === 4))
  await sendAll(injector, numbered(200))
  t.is(await total(204), 204)
  t.deepEqual(
    sorted(shares.flat()).filter((number) => number !== BOMB),
    upTo(200),
  )
  t.is((await pool.cumulativeStats()).packets, 204)
})

test.serial('a worker that always fails is given up in the end, and told of', async (t) => {
  t.timeout(90_000)
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const sending = setInterval(() => void sendAll(injector, [frame(60, 5)]).catch(() => undefined), 20)
  t.teardown(() => {
    clearInterval(sending)
  })
  const workerData: Failing = { how: 'throws', number: 5 }
  const pool = await poolOn(t, b, module('fails'), { workers: 1, workerData, restart: true })
  let restarts = 0
  pool.on('restart', () => restarts++)
  await t.throwsAsync(pool.finished({ signal: AbortSignal.timeout(60_000) }), { message: 'thrown on purpose' })
  t.is(restarts, 7)
  t.true(await until(() => pool.closed))
})

test('the pauses grow, are bounded, and begin anew after a worker that ran well', (t) => {
  const backoff = new Backoff()
  const pauses = Array.from({ length: 9 }, () => backoff.next(0, 50))
  t.deepEqual(pauses, [100, 200, 400, 800, 1600, 3200, 5000, undefined, undefined])
  const again = new Backoff()
  t.deepEqual([again.next(0, 50), again.next(undefined, 50)], [100, 200], 'one that never ran counts')
  t.is(again.next(1000, 11_000), 100)
})

test.serial('without a listener and without anybody waiting, a failure is thrown', async (t) => {
  const { a, b } = network(t)
  const pool = await poolOn(t, b, module('fails'), { workerData: { how: 'throws', number: 1 } satisfies Failing })
  // ava listens, too.
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const uncaught = new Promise<Error>((resolve) => process.once('uncaughtException', resolve))
  await sendAll(injectorOn(t, a), [frame(60, 1)])
  const error = await uncaught
  for (const listener of listeners) process.on('uncaughtException', listener)
  t.is(error.message, 'thrown on purpose')
  t.is(pool.closed, false)
})

test.serial(
  'where finished() has been called, no failure is thrown: neither the second nor one after stop()',
  async (t) => {
    const { b } = network(t)
    // ava has a listener of its own, which would fail this test.
    const pool = await poolOn(t, b, module('flows'), { workers: 3 })
    const finished = t.throwsAsync(pool.finished({ signal: AbortSignal.timeout(20_000) }), {
      code: 'ERR_NETRING_INTERFACE_REMOVED',
    })
    b.ip('link', 'del', b.name)
    await finished
    await pool.stop()
    await new Promise((resolve) => setTimeout(resolve, 200))
    t.true(pool.closed)
  },
)

test.serial('who listens hears of a failure before finished() rejects and before the end', async (t) => {
  const { a, b } = network(t)
  const workerData: Failing = { how: 'throws', number: 1 }
  const pool = await poolOn(t, b, module('fails'), { workers: 1, workerData })
  const order: string[] = []
  pool.on('error', ({ message }) => order.push(message))
  const closed = new Promise<void>((resolve) => {
    pool.on('close', () => {
      order.push('closed')
      resolve()
    })
  })
  const finished = pool.finished().catch(() => order.push('finished'))
  await sendAll(injectorOn(t, a), [frame(60, 1)])
  await finished
  await closed
  t.is(order[0], 'thrown on purpose')
  t.deepEqual(order.slice(1).sort(), ['closed', 'finished'])
})

/** A pool in a process that outlives what its listeners throw; `body` has `pool`, `thrown` and `send(numbers)`. */
function thrower(t: ExecutionContext, worker: string, options: string, body: string): unknown {
  const { a, b } = network(t)
  return runModule(`
    import { setTimeout as sleep } from 'node:timers/promises'
    const thrown = []
    process.on('uncaughtException', ({ message }) => thrown.push(message))
    const injector = netring.Injector.open('${a.name}', { netns: '${a.netns}' })
    const send = (...numbers) => traffic.sendAll(injector, numbers.map((number) => frames.frame(60, number)))
    const pool = await netring.FanoutPool.start('${b.name}', new URL('${module(worker).href}'), {
      ...${options}, capture: { ...traffic.smallRing, netns: '${b.netns}' },
    })
    ${body}
    injector.close()
  `)
}

test('listeners that throw keep no message from the others and no pool from ending', (t) => {
  const got = thrower(
    t,
    'speaks',
    '{ workers: 3 }',
    `let messages = 0
    pool.on('message', () => { messages++; throw new Error('message') })
    pool.on('close', () => { throw new Error('close') })
    await pool.finished()
    await pool.stop()
    await sleep(10)
    const kinds = [...new Set(thrown)]
    console.log(JSON.stringify({ messages, thrown: thrown.length, kinds, closed: pool.closed }))`,
  )
  t.deepEqual(got, { messages: 3 * 1004, thrown: 3 * 1004 + 1, kinds: ['message', 'close'], closed: true })
})

test('listeners of a failure that throw keep no pool from ending, nor who waits from hearing of it', (t) => {
  const got = thrower(
    t,
    'fails',
    `{ workers: 1, workerData: { how: 'throws', number: ${String(BOMB)} } }`,
    `pool.on('error', () => { throw new Error('error') })
    pool.on('close', () => { throw new Error('close') })
    const waiting = pool.finished().catch(({ message }) => message)
    await send(${String(BOMB)})
    const heard = await waiting
    await pool.stop()
    await sleep(10)
    console.log(JSON.stringify({ heard, thrown, closed: pool.closed }))`,
  )
  t.deepEqual(got, { heard: 'thrown on purpose', thrown: ['error', 'close'], closed: true })
})

test('a listener of a restart that throws takes nothing from the worker that runs', (t) => {
  const got = thrower(
    t,
    'fails',
    `{ workers: 1, restart: true, workerData: { how: 'throws', number: ${String(BOMB)} } }`,
    `const numbers = []
    const seen = async (number) => { while (!numbers.includes(number)) await sleep(5) }
    const restarted = new Promise((resolve) => pool.on('restart', () => { resolve(); throw new Error('restart') }))
    pool.on('message', (message) => numbers.push(...message))
    await send(${String(BOMB)})
    await restarted
    await send(7)
    await seen(7)
    const { closed } = pool
    await pool.stop()
    console.log(JSON.stringify({ thrown, closed, ends: pool.closed }))`,
  )
  t.deepEqual(got, { thrown: ['restart'], closed: false, ends: true })
})

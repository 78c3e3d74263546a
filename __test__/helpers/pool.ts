/** Fanout pools in tests. */
import type { ExecutionContext } from 'ava'
import { FanoutPool, type FanoutPoolOptions } from '../../src/index.js'
import type { End } from './network.js'
import { smallRing, until } from './traffic.js'

/** A worker module of the tests. */
export const module = (name: string): URL => new URL(`../pool/modules/${name}.ts`, import.meta.url)

/** A pool on one end, stopped with the test. */
export async function poolOn(
  t: ExecutionContext,
  at: End,
  worker: URL | string,
  options: FanoutPoolOptions = {},
): Promise<FanoutPool> {
  const pool = await FanoutPool.start(at.name, worker, {
    workers: 2,
    ...options,
    capture: { ...smallRing, blockCount: 32, ...options.capture, netns: at.netns },
  })
  t.teardown(() => pool.stop())
  return pool
}

/** Everything that workers post, by worker, in order. */
export function posts(pool: FanoutPool): unknown[][] {
  const got = pool.workers.map((): unknown[] => [])
  pool.on('message', (message, worker) => got[worker]!.push(message))
  return got
}

/** The packets of a pool of `collect` or `numbers`, by worker. */
export interface Collected<T> {
  readonly shares: T[][]
  /** Waits until so many are there, and a little for one too many. */
  readonly total: (count: number) => Promise<number>
}

export function collected<T extends string | number>(pool: FanoutPool): Collected<T> {
  const shares = pool.workers.map((): T[] => [])
  const sum = (): number => shares.reduce((all, { length }) => all + length, 0)
  pool.on('message', (message, worker) => shares[worker]!.push(...(message as T[])))
  return {
    shares,
    total: async (count) => {
      await until(() => sum() >= count)
      await new Promise((resolve) => setTimeout(resolve, 50))
      return sum()
    },
  }
}

/** Packets and drops of all workers since the start, once so many have come. */
export async function counted(pool: FanoutPool, count: number): Promise<{ packets: number; drops: number }> {
  const deadline = performance.now() + 10_000
  for (;;) {
    const { packets, drops } = await pool.cumulativeStats()
    if (packets + drops >= count || performance.now() > deadline) return { packets, drops }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

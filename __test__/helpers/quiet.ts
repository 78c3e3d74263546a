/** Whether a wait sleeps or spins. */
import type { ExecutionContext } from 'ava'
import { setTimeout as sleep } from 'node:timers/promises'

const WINDOW_MS = 100
/** The share of one CPU that waiting may take. */
const QUIET = 0.1
/** So many quiet windows in a row: a spin that comes in bursts, or a wait that looks again too often, has none or a few. */
const IN_A_ROW = 5
const TRIES = 100

/** The share of one CPU that this process takes while `wait` goes by. */
async function shareDuring(wait: () => unknown): Promise<number> {
  const [before, at] = [process.cpuUsage(), performance.now()]
  await wait()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000 / (performance.now() - at)
}

/**
 * Asserts that this process comes to rest while `wait` (a sleep of 100 ms, by itself) goes by. A spin is never quiet for long;
 * a wait is, as soon as the collector and the compiler have done their work, and so it has many tries and no time to keep.
 */
export async function comesToRest(
  t: ExecutionContext,
  wait: () => unknown = () => sleep(WINDOW_MS),
  measure: (wait: () => unknown) => Promise<number> = shareDuring,
): Promise<void> {
  const shares: number[] = []
  let quiet = 0
  while (quiet < IN_A_ROW && shares.length < TRIES) {
    const share = await measure(wait)
    shares.push(share)
    quiet = share <= QUIET ? quiet + 1 : 0
  }
  t.true(
    quiet === IN_A_ROW,
    `shares of one CPU that waiting took: ${shares.map((share) => share.toFixed(2)).join(', ')}`,
  )
}

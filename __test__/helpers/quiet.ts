/** Whether a wait sleeps or spins. */
import type { ExecutionContext } from 'ava'
import { setTimeout as sleep } from 'node:timers/promises'

const WINDOW_MS = 100

/**
 * Asserts that this process comes to rest while `wait` (a sleep of 100 ms, by itself) goes by. A spin is never quiet; a
 * wait is, as soon as the collector and the compiler have done their work, and so it has many tries and no time to keep.
 */
export async function comesToRest(t: ExecutionContext, wait: () => unknown = () => sleep(WINDOW_MS)): Promise<void> {
  const shares: number[] = []
  do {
    const [before, at] = [process.cpuUsage(), performance.now()]
    await wait()
    const { user, system } = process.cpuUsage(before)
    shares.push((user + system) / 1000 / (performance.now() - at))
  } while (shares.length < 50 && shares.at(-1)! > 0.3)
  t.true(
    shares.at(-1)! <= 0.3,
    `shares of one CPU that waiting took: ${shares.map((share) => share.toFixed(2)).join(', ')}`,
  )
}

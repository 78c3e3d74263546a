/** Timers and turns of the event loop, and blocking calls that keep it waiting. */
import { setImmediate as immediate } from 'node:timers/promises'

/** Lets timers and other I/O run. Loops over a busy ring take one block a turn, so that they do not starve the process. */
export function nextTurn(): Promise<void> {
  return immediate(undefined)
}

/** setTimeout takes no more than 2^31 - 1 milliseconds. */
export const LONGEST_TIMER = 0x7fff_ffff

/** Resolves after `ms` milliseconds, or rejects with the signal's reason. Times longer than a timer can hold are cut. */
export function pause(ms: number, signal: AbortSignal | undefined, keepAlive: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer)
      reject(signal?.reason as Error)
    }
    const timer = setTimeout(
      () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      },
      Math.min(ms, LONGEST_TIMER),
    )
    if (!keepAlive) timer.unref()
    signal?.addEventListener('abort', abort, { once: true })
  })
}

/** The longest time that a blocking call keeps this thread out of JavaScript's reach. */
const BLOCKING_SLICE_MS = 50

/**
 * Blocks this thread until `step` gives something or the time has passed, in slices: between two of them worker.terminate()
 * can end the thread. The last slice may be 0 ms long.
 */
export function inSlices<T>(timeoutMs: number, step: (sliceMs: number) => T | undefined): T | undefined {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const left = Math.max(0, deadline - performance.now())
    const given = step(Math.min(left, BLOCKING_SLICE_MS))
    if (given !== undefined || left <= BLOCKING_SLICE_MS) return given
  }
}

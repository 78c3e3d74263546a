/** Time and turns of the event loop. */
import { setImmediate as immediate } from 'node:timers/promises'

/** Lets timers and other I/O run: one block of the ring a turn, so that a busy ring does not starve the process. */
export function nextTurn(): Promise<void> {
  return immediate(undefined)
}

/** Resolves after `ms` milliseconds, or rejects with the signal's reason. Longer times than a timer can hold are in order. */
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

/** Steps that are taken one after the other, in the order in which they were asked for. */
export class Sequence {
  #last: Promise<unknown> | undefined

  /** Every step that was asked for has been taken. */
  get idle(): boolean {
    return this.#last === undefined
  }

  add<T>(step: () => T | Promise<T>): Promise<T> {
    const taken = this.#last === undefined ? Promise.resolve().then(step) : this.#last.then(step, step)
    this.#last = taken
    const settled = (): void => {
      if (this.#last === taken) this.#last = undefined
    }
    taken.then(settled, settled)
    return taken
  }
}

/** The longest time that a blocking call keeps this thread out of JavaScript's reach. */
const BLOCKING_SLICE_MS = 50

/**
 * Blocks this thread until `step` gives something or the time has passed, in slices, between which worker.terminate() can end
 * the thread. The last slice may be 0 ms long.
 */
export function inSlices<T>(timeoutMs: number, step: (sliceMs: number) => T | undefined): T | undefined {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const left = Math.max(0, deadline - performance.now())
    const given = step(Math.min(left, BLOCKING_SLICE_MS))
    if (given !== undefined || left <= BLOCKING_SLICE_MS) return given
  }
}

/** setTimeout takes no more than 2^31 - 1 milliseconds. */
export const LONGEST_TIMER = 0x7fff_ffff

/** A rejection with what was thrown or given as an AbortSignal's reason, whatever it is. */
export function rejected(reason: unknown): Promise<never> {
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- see above
  return Promise.reject(reason)
}

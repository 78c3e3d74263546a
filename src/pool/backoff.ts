/** When a worker that failed is started again: soon, then later and later, and in the end not at all. */

const FIRST_MS = 100
const LONGEST_MS = 5000
/** A worker that ran for so long is no part of a crash loop. */
const WELL_AFTER_MS = 10_000
const MOST_IN_A_ROW = 8

/** The failures of one worker. Times are those of performance.now(). */
export class Backoff {
  #failures = 0

  /**
   * How long to wait after a failure, in milliseconds; undefined: it has failed too often in a row. `startedAt`: when it
   * began to run, undefined if it never did.
   */
  next(startedAt: number | undefined, now: number): number | undefined {
    if (startedAt !== undefined && now - startedAt >= WELL_AFTER_MS) this.#failures = 0
    this.#failures++
    if (this.#failures >= MOST_IN_A_ROW) return undefined
    return Math.min(FIRST_MS * 2 ** (this.#failures - 1), LONGEST_MS)
  }
}

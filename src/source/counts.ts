/** Counters that can still be read when what counted is closed. */
import { native } from '../errors.js'
import type { CaptureStats } from './packet-source.js'

/** The native side of counting. */
interface Counting {
  /** Since the last call with `false`, or since open. */
  stats(cumulative: boolean): CaptureStats
}

const nothing: CaptureStats = Object.freeze({ packets: 0, drops: 0, freezeCount: 0 })

/** Both ways of asking. */
export class Counts {
  readonly #native: Counting
  #last: { since: CaptureStats; readonly cumulative: CaptureStats } | undefined

  constructor(counting: Counting) {
    this.#native = counting
  }

  /** Since the last call of this. */
  since(): CaptureStats {
    if (this.#last === undefined) return native(() => this.#native.stats(false))
    const { since } = this.#last
    this.#last.since = nothing
    return since
  }

  /** Since open. */
  cumulative(): CaptureStats {
    return this.#last?.cumulative ?? native(() => this.#native.stats(true))
  }

  /** Reads them for the last time: the native side is about to be closed. */
  keep(): void {
    try {
      this.#last ??= { since: this.#native.stats(false), cumulative: this.#native.stats(true) }
    } catch {
      // Then there are none to keep, and that keeps nobody from closing.
    }
  }
}

/** Statistics of what receives, and counters that can still be read once it is closed. */
import { native } from '../errors/native.js'

/** Packets of a source. */
export interface CaptureStats {
  /** Delivered into the ring, drops not included. */
  readonly packets: number
  /** Passed the filter and found no room. `packets + drops` is what passed the filter. */
  readonly drops: number
  /** Times the ring was full and the kernel stopped writing. */
  readonly freezeCount: number
}

/** No packet at all. */
export const noStats: CaptureStats = Object.freeze({ packets: 0, drops: 0, freezeCount: 0 })

/** The native side of counting. */
interface Counting {
  /** Since the last call with `false`, or since open. */
  stats(cumulative: boolean): CaptureStats
}

/** The counters of a source, as they are now or as they were when it was closed. */
export class Counters {
  readonly #native: Counting
  #last: { since: CaptureStats; readonly cumulative: CaptureStats } | undefined

  constructor(counting: Counting) {
    this.#native = counting
  }

  /** Since the last call of this. */
  sinceLast(): CaptureStats {
    if (this.#last === undefined) return native(() => this.#native.stats(false))
    const { since } = this.#last
    this.#last.since = noStats
    return since
  }

  /** Since open. */
  cumulative(): CaptureStats {
    return this.#last?.cumulative ?? native(() => this.#native.stats(true))
  }

  /** Reads the counters for the last time: the native side is about to be closed. */
  keep(): void {
    try {
      this.#last ??= { since: this.#native.stats(false), cumulative: this.#native.stats(true) }
    } catch {
      // There are no counters to keep (the interface is gone), and closing goes on without them.
    }
  }
}

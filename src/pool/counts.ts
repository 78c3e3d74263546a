/** Adding up what the workers of a pool have counted. */
import type { CaptureStats } from '../source/packet-source.js'

/** Statistics of a pool: the sum, and each worker's own by its index, those of workers that it replaced included. */
export interface FanoutPoolStats extends CaptureStats {
  /** Of each worker, by its index. */
  readonly perWorker: readonly CaptureStats[]
}

export const nothing: CaptureStats = Object.freeze({ packets: 0, drops: 0, freezeCount: 0 })

export function plus(a: CaptureStats, b: CaptureStats): CaptureStats {
  return {
    packets: a.packets + b.packets,
    drops: a.drops + b.drops,
    freezeCount: a.freezeCount + b.freezeCount,
  }
}

export function minus(a: CaptureStats, b: CaptureStats): CaptureStats {
  return {
    packets: a.packets - b.packets,
    drops: a.drops - b.drops,
    freezeCount: a.freezeCount - b.freezeCount,
  }
}

export function merged(perWorker: readonly CaptureStats[]): FanoutPoolStats {
  return { ...perWorker.reduce(plus, nothing), perWorker }
}

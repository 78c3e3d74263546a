/** Adding up what the workers of a pool have counted. */
import { noStats, type CaptureStats } from '../source/counters.js'

/** Statistics of a pool: the sum, and each worker's own by its index, those of workers that it replaced included. */
export interface FanoutPoolStats extends CaptureStats {
  /** Of each worker, by its index. */
  readonly perWorker: readonly CaptureStats[]
}

export function add(a: CaptureStats, b: CaptureStats): CaptureStats {
  return {
    packets: a.packets + b.packets,
    drops: a.drops + b.drops,
    freezeCount: a.freezeCount + b.freezeCount,
  }
}

export function subtract(a: CaptureStats, b: CaptureStats): CaptureStats {
  return {
    packets: a.packets - b.packets,
    drops: a.drops - b.drops,
    freezeCount: a.freezeCount - b.freezeCount,
  }
}

export function total(perWorker: readonly CaptureStats[]): FanoutPoolStats {
  return { ...perWorker.reduce(add, noStats), perWorker }
}

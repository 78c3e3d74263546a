/** What a worker's module is given beside its source. */
import type { Transferable } from 'node:worker_threads'
import type { PacketSource } from '../source/packet-source.js'

/** The worker, from inside. */
export interface FanoutContext {
  /** Which worker this is, from 0. One that replaces another has its index. */
  readonly index: number
  /** How many the pool has. */
  readonly workers: number
  /**
   * Aborted when the pool is stopped. A module that never looks at it has its source closed at once then, which ends its
   * loops; one that does has a second to end by itself first.
   */
  readonly signal: AbortSignal
  /** A copy of the pool's option. */
  readonly workerData: unknown
  /**
   * Sends a structured clone to the pool's 'message' listeners, in order. A Buffer that is a view of a batch takes the
   * whole block along: send a copy.
   * @throws DataCloneError
   */
  post(message: unknown, transfer?: readonly Transferable[]): void
}

/** What a worker's module has as its default export. Its source is closed when it returns, or when what it returns is settled. */
export type FanoutFunction = (source: PacketSource, context: FanoutContext) => unknown

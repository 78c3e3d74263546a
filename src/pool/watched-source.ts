/** A worker's source, as far as the pool has to know what becomes of it. */
import type { MessagePort } from 'node:worker_threads'
import { inSlices } from '../async/event-loop.js'
import { noStats, type CaptureStats } from '../source/counters.js'
import type { PacketSource } from '../source/packet-source.js'
import { receiveNow, type ToWorker } from './messages.js'

/** What the pool hears of a source. */
export interface Watcher {
  /** What has come over the port while the module's own code holds the thread. */
  receive(message: ToWorker): void
  /** The module need not wait any longer. */
  readonly stopping: boolean
  /** The source is about to be closed, by whomever. */
  closing(counts: CaptureStats): void
}

/** Counts since open, as long as it is open. */
export function countsOf(source: PacketSource | undefined): CaptureStats | undefined {
  if (source === undefined || source.closed) return undefined
  try {
    return source.cumulativeStats()
  } catch {
    // The interface is gone, and with it what was not read before.
    return undefined
  }
}

/**
 * Calls the watcher when the source ends, and receives messages in its blocking calls: a module that makes no other calls
 * never comes back to the event loop.
 */
export function watch(source: PacketSource, port: MessagePort, pollTimeoutMs: number, watcher: Watcher): void {
  const close = source.close.bind(source)
  const nextBatchBlocking = source.nextBatchBlocking.bind(source)
  source.close = () => {
    if (!source.closed) watcher.closing(countsOf(source) ?? noStats)
    close()
  }
  source.nextBatchBlocking = (timeoutMs = pollTimeoutMs) => {
    // What is wrong with it the source says.
    if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0)) return nextBatchBlocking(timeoutMs)
    const before = { closed: source.closed, stopping: watcher.stopping }
    const over = inSlices(timeoutMs, (ms) => {
      receiveNow(port, (message) => {
        watcher.receive(message as ToWorker)
      })
      // Closed by the pool just now: noStats comes any more, which is no error.
      if (source.closed && !before.closed) return { batch: undefined }
      const batch = nextBatchBlocking(ms)
      return batch !== undefined || watcher.stopping !== before.stopping ? { batch } : undefined
    })
    return over?.batch
  }
}

/** A worker's source, as far as the pool has to know what becomes of it. */
import type { MessagePort } from 'node:worker_threads'
import type { CaptureStats, PacketSource } from '../source/packet-source.js'
import { nothing } from './counts.js'
import { receiveNow, type ToWorker } from './messages.js'

/** A wait on this thread is cut into pieces of this, between which messages are looked at. */
const SLICE_MS = 100

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
 * Has the watcher told of the source's end, and messages received in its blocking calls: a module that does nothing else
 * never comes back to the event loop.
 */
export function watch(source: PacketSource, port: MessagePort, pollTimeoutMs: number, watcher: Watcher): void {
  const close = source.close.bind(source)
  const nextBatchBlocking = source.nextBatchBlocking.bind(source)
  source.close = () => {
    if (!source.closed) watcher.closing(countsOf(source) ?? nothing)
    close()
  }
  source.nextBatchBlocking = (timeoutMs = pollTimeoutMs) => {
    // What is wrong with it the source says.
    if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0)) return nextBatchBlocking(timeoutMs)
    const deadline = performance.now() + timeoutMs
    const before = { closed: source.closed, stopping: watcher.stopping }
    for (;;) {
      receiveNow(port, (message) => {
        watcher.receive(message as ToWorker)
      })
      // Closed by the pool just now: nothing comes any more, which is no error.
      if (source.closed && !before.closed) return undefined
      const left = Math.max(0, deadline - performance.now())
      const batch = nextBatchBlocking(Math.min(left, SLICE_MS))
      if (batch !== undefined || left <= SLICE_MS || watcher.stopping !== before.stopping) return batch
    }
  }
}

/** What every source of packets does. */
import type { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { WaitOptions } from '../check/wait.js'
import type { Batch } from '../packet/batch.js'
import type { LinkType } from '../packet/link-type.js'
import type { OwnedPacket, Packet } from '../packet/packet.js'
import type { CaptureStats } from './counters.js'
import type { PacketLoopOptions } from './loop-options.js'

/** Events of a source. `linkDown` and `linkUp` follow the interface's flag and its carrier. */
export type SourceEvent = 'linkDown' | 'linkUp' | 'removed' | 'close'

/** A source of batches: {@link Capture} and {@link XdpSocket} are. */
export interface PacketSource extends Disposable, AsyncIterable<Batch, undefined> {
  /** What every packet of this source begins with. */
  readonly linkType: LinkType

  /**
   * The next batch, or undefined: never blocks. Several batches may be held; release them in any order.
   * @throws NetringError ERR_NETRING_CLOSED, ERR_NETRING_INTERFACE_REMOVED (once the ring is empty) or, of an XdpSocket,
   * ERR_NETRING_XDP_PROGRAM (once the ring is empty: its program was detached or replaced)
   */
  nextBatch(): Batch | undefined

  /**
   * The next batch, waiting for it on this thread (the event loop stands still), at most `timeoutMs` (default: the
   * source's pollTimeoutMs).
   * @throws NetringError ERR_NETRING_CLOSED, ERR_NETRING_LINK_DOWN (wait again: the source goes on when it is up),
   * ERR_NETRING_INTERFACE_REMOVED or, of an XdpSocket, ERR_NETRING_XDP_PROGRAM (its program was detached or replaced)
   */
  nextBatchBlocking(timeoutMs?: number): Batch | undefined

  /**
   * Resolves when nextBatch() would give a batch. The kernel reports packets through epoll: the wait has no thread of its own
   * and does not poll. An XdpSocket checks its XDP program once a second while something waits, because the kernel
   * reports its removal to nobody.
   *
   * Rejects with `signal.reason`, or NetringError ERR_NETRING_CLOSED, ERR_NETRING_LINK_DOWN (once each time the interface
   * is set down; wait again, the source goes on when it is up; deleting an interface sets it down first),
   * ERR_NETRING_INTERFACE_REMOVED or, of an XdpSocket, ERR_NETRING_XDP_PROGRAM (its program was detached or replaced).
   */
  readable(options?: WaitOptions): Promise<void>

  /** Waits for a batch and copies its packets into one buffer of their own: nothing to release. Rejects as readable(). */
  recv(options?: WaitOptions): Promise<OwnedPacket[]>

  /**
   * Batch after batch; going on to the next one releases the one before. Ends when the source is closed, goes on through
   * a link that is down, and throws ERR_NETRING_INTERFACE_REMOVED or, of an XdpSocket, ERR_NETRING_XDP_PROGRAM (its program
   * was detached or replaced). Leaving the loop does not close the source. The loop takes at most one block of the ring a
   * turn of the event loop.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Batch, undefined>

  /**
   * Packet after packet, blocking this thread while there is none. The batch is released after its last packet; `copy()`
   * what must live longer. Ends by `count`, `durationMs`, `until` or close().
   */
  packets(options?: PacketLoopOptions): Iterable<Packet>

  /** As packets(), waiting without blocking. */
  packetsAsync(options?: PacketLoopOptions & WaitOptions): AsyncIterable<Packet>

  /** Packets and drops since the last call of this; of a source that is closed, until then. */
  stats(): CaptureStats

  /** Packets and drops since open; of a source that is closed, until then. Neither disturbs the other. */
  cumulativeStats(): CaptureStats

  /**
   * A web stream, a batch a chunk; it fetches no batch before one is asked for. Release each batch; cancelling ends the
   * stream, and aborting `signal` makes it fail with `signal.reason`. Either leaves the source open.
   */
  readableStream(options?: WaitOptions): ReadableStream<Batch>

  /** A node:stream in object mode, owned packets, with backpressure. Destroying it leaves the source open. */
  stream(options?: { readonly signal?: AbortSignal; readonly highWaterMark?: number }): Readable

  /**
   * Events inform; failures reach the caller that waits or calls, never as an 'error' event.
   * @throws TypeError for another event
   * @throws NetringError ERR_NETRING_IO where the link cannot be watched
   */
  on(event: SourceEvent, listener: () => void): this

  /** Takes a listener off again. */
  off(event: string, listener: (...args: never[]) => void): this

  /** Keeps the process alive while something waits here: the default. */
  ref(): this

  /** Lets the process end although something waits here. */
  unref(): this

  /** Whether close() was called. */
  readonly closed: boolean

  /** Idempotent; every live view becomes empty, and all that is native is free when it returns. */
  close(): void
}

/** What every source of packets does, over its native side. */
import type { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { fromNative, hasCode, native, NetringError } from '../errors.js'
import { checkMilliseconds } from '../options/check.js'
import { waitSignal } from '../options/wait.js'
import { copyAndRelease, LoanedBatch, type Batch } from './batch.js'
import { BatchHead } from './head.js'
import { columnsToFill, type Lender } from './loan.js'
import { AsyncPacketLoop, BatchLoop, checkLoop, PacketLoop } from './loops.js'
import { Counts } from './counts.js'
import { LinkedEndpoint, type SourceEvent } from './linked-endpoint.js'
import type { NativeSource } from './native-source.js'
import type { OwnedPacket, Packet } from './packet.js'
import { ownedPacketStream, batchStream } from './streams.js'
import { inSlices, nextTurn } from './turns.js'
import { Waiters } from './waiters.js'

/** What can end a wait. */
export interface WaitOptions {
  /** Aborting rejects with `signal.reason`. */
  readonly signal?: AbortSignal
}

/** What ends a loop over packets. */
export interface PacketLoopOptions {
  /** Packets. What follows the last one in its batch is released unseen. */
  readonly count?: number
  /** From the loop's first step on. The clock is looked at between batches, as for `until`. */
  readonly durationMs?: number
  /** A time, epoch milliseconds if a number. */
  readonly until?: Date | number
  /** Aborting makes the loop throw `signal.reason`. */
  readonly signal?: AbortSignal
}

/** Packets of a source. */
export interface CaptureStats {
  /** Delivered into the ring, drops not included. */
  readonly packets: number
  /** Passed the filter and found no room. `packets + drops` is what passed the filter. */
  readonly drops: number
  /** Times the ring was full and the kernel stopped writing. */
  readonly freezeCount: number
}

/** A source of batches: {@link Capture} and {@link XdpSocket} are. */
export interface PacketSource extends Disposable, AsyncIterable<Batch, undefined> {
  /** Never blocks: the next batch, or undefined. */
  nextBatch(): Batch | undefined
  /** Blocks this thread, at most `timeoutMs`; default: the source's pollTimeoutMs. */
  nextBatchBlocking(timeoutMs?: number): Batch | undefined
  /** Resolves when nextBatch() would give a batch. */
  readable(options?: WaitOptions): Promise<void>
  /** Owned copies of the next batch: nothing to release. */
  recv(options?: WaitOptions): Promise<OwnedPacket[]>
  /** Packet after packet, blocking this thread while there is none. */
  packets(options?: PacketLoopOptions): Iterable<Packet>
  /** Packet after packet, waiting without blocking. */
  packetsAsync(options?: PacketLoopOptions & WaitOptions): AsyncIterable<Packet>
  /** Since the last call of stats(). Both go on answering after close(). */
  stats(): CaptureStats
  /** Since open. Neither disturbs the other. */
  cumulativeStats(): CaptureStats
  /** A web stream, a batch a chunk. */
  readableStream(options?: WaitOptions): ReadableStream<Batch>
  /** A node:stream in object mode, owned packets. */
  stream(options?: { readonly signal?: AbortSignal; readonly highWaterMark?: number }): Readable
  /** Events inform; failures reach whoever waits or calls. */
  on(event: SourceEvent, listener: () => void): this
  /** Takes a listener off again. */
  off(event: string, listener: (...args: never[]) => void): this
  /** Keeps the process alive while something waits: the default. */
  ref(): this
  /** Lets the process end although something waits. */
  unref(): this
  /** Whether close() was called. */
  readonly closed: boolean
  /** Idempotent; every live view becomes empty, and all that is native is free when it returns. */
  close(): void
}

/** The shared half of every source; what differs is native. */
export abstract class NativePacketSource<N extends NativeSource> extends LinkedEndpoint implements PacketSource {
  /** The native side. For subclasses. */
  protected readonly native: N
  readonly #lender: Lender
  readonly #head: BatchHead
  /** The next batch is there already, of the same block as the one before. */
  #more = false
  readonly #waiters: Waiters
  readonly #counts: Counts
  readonly #pollTimeoutMs: number

  protected constructor(nativeSource: N, pollTimeoutMs: number) {
    const lender = { native: nativeSource, closed: false, wanted: 0, used: 0, batches: 0 } satisfies Lender
    super(lender, nativeSource)
    this.native = nativeSource
    this.#lender = lender
    this.#head = new BatchHead(nativeSource.head())
    this.#counts = new Counts(nativeSource)
    this.#pollTimeoutMs = pollTimeoutMs
    // While something waits, these keep the source.
    this.#waiters = new Waiters({
      arm: () => this.native.pollOrWait(this.onMessage),
      disarm: () => {
        this.native.stopWaiting()
      },
      keepAlive: (keep) => {
        this.native.keepAlive(keep)
      },
    })
  }

  protected override woken(): void {
    this.#waiters.wake()
  }

  protected override refer(referenced: boolean): void {
    this.#waiters.referenced = referenced
  }

  #batch(id: number, filled: number): Batch | undefined {
    this.#more = id >= 0 && this.#head.more
    return id < 0 ? undefined : new LoanedBatch(this.#lender, id, this.#head, filled)
  }

  /**
   * The next batch, or undefined: never blocks. Several batches may be held; release them in any order.
   * @throws NetringError ERR_NETRING_CLOSED, ERR_NETRING_INTERFACE_REMOVED (once the ring is empty) or, of an XdpSocket,
   * ERR_NETRING_XDP_PROGRAM (likewise; somebody has detached or replaced its program)
   */
  nextBatch(): Batch | undefined {
    const wanted = columnsToFill(this.#lender)
    this.#more = false
    try {
      return this.#batch(this.native.next(wanted), wanted)
    } catch (error) {
      throw fromNative(error)
    }
  }

  /**
   * The next batch, waiting for it on this thread (the event loop stands still), at most `timeoutMs` (default: the
   * source's pollTimeoutMs).
   * @throws NetringError ERR_NETRING_CLOSED, ERR_NETRING_LINK_DOWN (wait again: the source goes on when it is up),
   * ERR_NETRING_INTERFACE_REMOVED or, of an XdpSocket, ERR_NETRING_XDP_PROGRAM (its program was detached or replaced)
   */
  nextBatchBlocking(timeoutMs?: number): Batch | undefined {
    const timeout = checkMilliseconds('timeoutMs', timeoutMs, this.#pollTimeoutMs)
    const wanted = columnsToFill(this.#lender)
    try {
      return inSlices(timeout, (ms) => this.#batch(this.native.nextBlocking(wanted, ms), wanted))
    } catch (error) {
      throw fromNative(error)
    }
  }

  /**
   * Resolves when nextBatch() would give a batch. The kernel tells of packets: no thread of this wait's own and no polling behind
   * it. An XdpSocket's XDP program is asked for once a second while something waits, as the kernel tells nobody when it goes.
   *
   * Rejects with `signal.reason`, or NetringError ERR_NETRING_CLOSED, ERR_NETRING_LINK_DOWN (once each time the interface
   * is set down; wait again, the source goes on when it is up; deleting an interface sets it down first),
   * ERR_NETRING_INTERFACE_REMOVED or, of an XdpSocket, ERR_NETRING_XDP_PROGRAM (its program was detached or replaced).
   */
  readable(options?: WaitOptions): Promise<void> {
    return this.#wait(waitSignal(options)) ?? Promise.resolve()
  }

  #wait(
    signal: AbortSignal | undefined,
    timeoutMs?: number,
    waiting?: (end: () => void) => void,
  ): Promise<void> | undefined {
    if (this.#lender.closed) return Promise.reject(closedError())
    return this.#waiters.wait(signal, timeoutMs, waiting)
  }

  /** As #wait, through a link that goes down and up again. */
  #waitThrough(
    signal: AbortSignal | undefined,
    timeoutMs: number,
    waiting: (end: () => void) => void,
  ): Promise<void> | undefined {
    return this.#wait(signal, timeoutMs, waiting)?.catch((error: unknown) => {
      if (!hasCode(error, 'ERR_NETRING_LINK_DOWN')) throw error
    })
  }

  /** Waits for a batch and copies its packets into one buffer of their own: nothing to release. Rejects as readable(). */
  async recv(options?: WaitOptions): Promise<OwnedPacket[]> {
    const signal = waitSignal(options)
    // A caller in a loop over a busy ring must not starve timers, its own time-out among them.
    if (!this.#more) await nextTurn()
    for (;;) {
      await this.#wait(signal)
      const batch = this.nextBatch()
      if (batch !== undefined) return copyAndRelease(batch)
    }
  }

  /**
   * Batch after batch; going on to the next one releases the one before. Ends when the source is closed, goes on through
   * a link that is down, and throws ERR_NETRING_INTERFACE_REMOVED or, of an XdpSocket, ERR_NETRING_XDP_PROGRAM (its program was
   * detached or replaced). Leaving the loop does not close the source. At most
   * one block of the ring a turn of the event loop.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Batch, undefined> {
    return this.#batches(undefined, Infinity)
  }

  #batches(signal: AbortSignal | undefined, deadline: number): BatchLoop {
    return new BatchLoop(
      {
        closed: () => this.#lender.closed,
        take: () => this.nextBatch(),
        more: () => this.#more,
        wait: (timeoutMs, waiting) => this.#waitThrough(signal, timeoutMs, waiting),
      },
      signal,
      deadline,
    )
  }

  /**
   * Packet after packet, blocking this thread while there is none. The batch is released when its last packet has been
   * passed; `copy()` what must live longer. Ends by `count`, `durationMs`, `until` or close().
   */
  packets(options?: PacketLoopOptions): Iterable<Packet> {
    const loop = checkLoop(options)
    return { [Symbol.iterator]: () => new PacketLoop(this, loop, this.#pollTimeoutMs) }
  }

  /** As packets(), waiting without blocking. */
  packetsAsync(options?: PacketLoopOptions & WaitOptions): AsyncIterable<Packet> {
    const loop = checkLoop(options)
    return {
      [Symbol.asyncIterator]: () => new AsyncPacketLoop(this.#batches(loop.signal, loop.deadline()), loop),
    }
  }

  /** Packets and drops since the last call of this; of a source that is closed, until then. */
  stats(): CaptureStats {
    return this.#counts.since()
  }

  /** Packets and drops since open; of a source that is closed, until then. */
  cumulativeStats(): CaptureStats {
    return this.#counts.cumulative()
  }

  /**
   * A web stream, a batch a chunk, none fetched before it is asked for. Release each batch; cancelling ends the stream, and
   * aborting `signal` makes it fail with `signal.reason`. Either leaves the source open.
   */
  readableStream(options?: WaitOptions): ReadableStream<Batch> {
    return batchStream(this, waitSignal(options))
  }

  /** A node:stream in object mode, owned packets, with backpressure. Destroying it leaves the source open. */
  stream(options?: { readonly signal?: AbortSignal; readonly highWaterMark?: number }): Readable {
    return ownedPacketStream(this, options)
  }

  protected end(): void {
    try {
      this.#waiters.fail(closedError())
      this.#counts.keep()
    } finally {
      native(() => {
        this.native.close()
      })
    }
  }
}

function closedError(): NetringError {
  return new NetringError('ERR_NETRING_CLOSED', 'the source is closed; open another')
}

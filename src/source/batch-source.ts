/** A source of batches over a native one. */
import type { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { NativeSource } from '../addon/binding.js'
import { inSlices, nextTurn } from '../async/event-loop.js'
import { Waiters } from '../async/waiters.js'
import { weakCallback } from '../async/weak-callback.js'
import { checkMilliseconds } from '../check/arguments.js'
import { waitSignal, type WaitOptions } from '../check/wait.js'
import { fromNative, native } from '../errors/native.js'
import { hasCode, NetringError } from '../errors/netring-error.js'
import { Closable, type ClosedFlag } from '../events/closable.js'
import { LinkWatch } from '../events/link-watch.js'
import { Message } from '../events/messages.js'
import { copyAndRelease, type Batch } from '../packet/batch.js'
import type { LinkType } from '../packet/link-type.js'
import type { OwnedPacket, Packet } from '../packet/packet.js'
import { BatchHeader } from './batch-header.js'
import { BatchLoop } from './batch-loop.js'
import { BatchView } from './batch-view.js'
import { Counters, type CaptureStats } from './counters.js'
import { checkLoop, type PacketLoopOptions } from './loop-options.js'
import { AsyncPacketLoop, PacketLoop } from './packet-loops.js'
import type { PacketSource, SourceEvent } from './packet-source.js'
import { columnsToFill, sourceState, type SourceState } from './source-state.js'
import { batchStream, ownedPacketStream } from './streams.js'

/** Base of every source. Members that {@link PacketSource} has are documented there. */
export abstract class BatchSource extends Closable implements PacketSource {
  /** The native side. For subclasses. */
  protected readonly native: NativeSource
  readonly #state: SourceState
  readonly #header: BatchHeader
  /** The next batch is there already, of the same block as the one before. */
  #more = false
  readonly #waiters: Waiters
  readonly #counters: Counters
  readonly #pollTimeoutMs: number
  readonly #onMessage: (message: number) => void
  /** Of a source that receives from an interface. */
  readonly #link: LinkWatch | undefined

  /** `names`: its events. `flags`: what close() sets beside the source's own. */
  protected constructor(
    nativeSource: NativeSource,
    pollTimeoutMs: number,
    names: readonly string[],
    flags: readonly ClosedFlag[] = [],
  ) {
    const state = sourceState(nativeSource)
    super([state, ...flags], names)
    this.native = nativeSource
    this.#state = state
    this.#header = new BatchHeader(nativeSource.header())
    this.#counters = new Counters(nativeSource)
    this.#pollTimeoutMs = pollTimeoutMs
    this.#onMessage = weakCallback<BatchSource>(this, this.#receive)
    if (nativeSource.hasLink()) this.#link = new LinkWatch(nativeSource, this.#onMessage)
    // While something waits, these keep the source.
    this.#waiters = new Waiters({
      arm: () => this.native.pollOrWait(this.#onMessage),
      disarm: () => {
        this.native.stopWaiting()
      },
      keepAlive: (keep) => {
        this.native.keepAlive(keep)
      },
    })
  }

  #receive(message: number): void {
    if (this.closed) return
    if (message === Message.wake) {
      this.#waiters.wake()
      return
    }
    const event = this.#link?.event(message)
    if (event !== undefined) this.emit(event)
  }

  get linkType(): LinkType {
    return this.#state.linkType
  }

  #batch(id: number, filled: number): Batch | undefined {
    this.#more = id >= 0 && this.#header.more
    return id < 0 ? undefined : new BatchView(this.#state, id, this.#header, filled)
  }

  nextBatch(): Batch | undefined {
    const wanted = columnsToFill(this.#state)
    this.#more = false
    try {
      return this.#batch(this.native.next(wanted), wanted)
    } catch (error) {
      throw fromNative(error)
    }
  }

  nextBatchBlocking(timeoutMs?: number): Batch | undefined {
    const timeout = checkMilliseconds('timeoutMs', timeoutMs, this.#pollTimeoutMs)
    const wanted = columnsToFill(this.#state)
    try {
      return inSlices(timeout, (ms) => this.#batch(this.native.nextBlocking(wanted, ms), wanted))
    } catch (error) {
      throw fromNative(error)
    }
  }

  readable(options?: WaitOptions): Promise<void> {
    return this.#wait(waitSignal(options)) ?? Promise.resolve()
  }

  #wait(
    signal: AbortSignal | undefined,
    timeoutMs?: number,
    waiting?: (end: () => void) => void,
  ): Promise<void> | undefined {
    if (this.#state.closed) return Promise.reject(closedError())
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

  /** Batch after batch, to the end of the source: {@link PacketSource} says how. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Batch, undefined> {
    return this.#batches(undefined, Infinity)
  }

  #batches(signal: AbortSignal | undefined, deadline: number): BatchLoop {
    return new BatchLoop(
      {
        closed: () => this.#state.closed,
        take: () => this.nextBatch(),
        more: () => this.#more,
        wait: (timeoutMs, waiting) => this.#waitThrough(signal, timeoutMs, waiting),
      },
      signal,
      deadline,
    )
  }

  packets(options?: PacketLoopOptions): Iterable<Packet> {
    const loop = checkLoop(options)
    return { [Symbol.iterator]: () => new PacketLoop(this, loop, this.#pollTimeoutMs) }
  }

  packetsAsync(options?: PacketLoopOptions & WaitOptions): AsyncIterable<Packet> {
    const loop = checkLoop(options)
    return {
      [Symbol.asyncIterator]: () => new AsyncPacketLoop(this.#batches(loop.signal, loop.deadline()), loop),
    }
  }

  stats(): CaptureStats {
    return this.#counters.sinceLast()
  }

  cumulativeStats(): CaptureStats {
    return this.#counters.cumulative()
  }

  readableStream(options?: WaitOptions): ReadableStream<Batch> {
    return batchStream(this, waitSignal(options))
  }

  stream(options?: { readonly signal?: AbortSignal; readonly highWaterMark?: number }): Readable {
    return ownedPacketStream(this, options)
  }

  on(event: SourceEvent, listener: () => void): this {
    this.listen(event, listener)
    if (event !== 'close' && !this.closed) {
      try {
        this.#link?.start()
      } catch (error) {
        this.off(event, listener)
        throw error
      }
    }
    return this
  }

  ref(): this {
    this.#waiters.referenced = true
    return this
  }

  unref(): this {
    this.#waiters.referenced = false
    return this
  }

  protected end(): void {
    try {
      this.#waiters.fail(closedError())
      this.#counters.keep()
    } finally {
      native(() => {
        this.native.close()
      })
    }
  }
}

/** The events of a source that is nothing else. */
export const sourceEvents: readonly SourceEvent[] = ['linkDown', 'linkUp', 'removed', 'close']

function closedError(): NetringError {
  return new NetringError('ERR_NETRING_CLOSED', 'the source is closed; open another')
}

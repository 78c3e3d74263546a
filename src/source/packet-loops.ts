/** The loops over a source's packets. */
import { Sequence } from '../async/sequence.js'
import { hasCode } from '../errors/netring-error.js'
import type { Batch } from '../packet/batch.js'
import type { Packet } from '../packet/packet.js'
import type { BatchLoop } from './batch-loop.js'
import type { Loop } from './loop-options.js'
import type { PacketSource } from './packet-source.js'

/** The loop behind packetsAsync(): the packets of a {@link BatchLoop}'s batches. */
export class AsyncPacketLoop implements AsyncIterableIterator<Packet, undefined> {
  readonly #batches: BatchLoop
  readonly #signal: AbortSignal | undefined
  readonly #steps = new Sequence()
  #left: number
  #packets: Iterator<Packet> | undefined

  constructor(batches: BatchLoop, { count, signal }: Loop) {
    this.#batches = batches
    this.#signal = signal
    this.#left = count
  }

  next(): Promise<IteratorResult<Packet, undefined>> {
    if (this.#steps.idle && this.#signal?.aborted !== true) {
      const next = this.#take()
      if (next !== undefined) return Promise.resolve(next)
    }
    return this.#steps.add(() => this.#step())
  }

  /** Ends the loop now: a next() that waits resolves as done. */
  async return(): Promise<IteratorResult<Packet, undefined>> {
    this.#left = 0
    await this.#batches.return()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** The next packet of the batch at hand. */
  #take(): IteratorResult<Packet, undefined> | undefined {
    if (this.#left <= 0) return undefined
    const next = this.#packets?.next()
    if (next?.done !== false) return undefined
    this.#left--
    return next
  }

  async #step(): Promise<IteratorResult<Packet, undefined>> {
    while (this.#left > 0) {
      if (this.#signal?.aborted === true) {
        await this.return()
        throw this.#signal.reason
      }
      const next = this.#take()
      if (next !== undefined) return next
      const batch = await this.#batches.next()
      if (batch.done === true) break
      this.#packets = batch.value[Symbol.iterator]()
    }
    return this.return()
  }
}

/** The loop behind packets(). */
export class PacketLoop implements IterableIterator<Packet, undefined> {
  readonly #source: PacketSource
  readonly #signal: AbortSignal | undefined
  readonly #deadline: number
  readonly #pollTimeoutMs: number
  #left: number
  #batch: Batch | undefined
  #packets: Iterator<Packet> | undefined

  constructor(source: PacketSource, loop: Loop, pollTimeoutMs: number) {
    this.#source = source
    this.#signal = loop.signal
    this.#left = loop.count
    this.#deadline = loop.deadline()
    this.#pollTimeoutMs = pollTimeoutMs
  }

  next(): IteratorResult<Packet, undefined> {
    while (this.#left > 0) {
      const next = this.#packets?.next()
      if (next?.done === false) {
        this.#left--
        return next
      }
      if (!this.#advance()) break
    }
    return this.return()
  }

  /** Fetches the next batch; false when the loop is over. */
  #advance(): boolean {
    this.#release()
    for (;;) {
      if (this.#source.closed) return false
      this.#signal?.throwIfAborted()
      const left = this.#deadline - performance.now()
      if (left <= 0) return false
      this.#batch = this.#fetch(Math.min(left, this.#pollTimeoutMs))
      if (this.#batch !== undefined) {
        this.#packets = this.#batch[Symbol.iterator]()
        return true
      }
    }
  }

  #fetch(timeoutMs: number): Batch | undefined {
    try {
      return this.#source.nextBatchBlocking(timeoutMs)
    } catch (error) {
      if (hasCode(error, 'ERR_NETRING_LINK_DOWN')) return undefined
      throw error
    }
  }

  #release(): void {
    this.#packets = undefined
    this.#batch?.release()
    this.#batch = undefined
  }

  return(): IteratorResult<Packet, undefined> {
    this.#left = 0
    this.#release()
    return { done: true, value: undefined }
  }

  [Symbol.iterator](): this {
    return this
  }
}

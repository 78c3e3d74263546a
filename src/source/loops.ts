/** The loops over a source: batch after batch and packet after packet. */
import { types } from 'node:util'
import { hasCode } from '../errors.js'
import { checkInteger, checkMilliseconds, checkObject, checkSignal, wrongType } from '../options/check.js'
import type { Batch } from './batch.js'
import type { PacketLoopOptions, PacketSource } from './packet-source.js'
import type { Packet } from './packet.js'
import { nextTurn, rejected, Sequence } from './turns.js'

/** A checked {@link PacketLoopOptions}. */
export interface Loop {
  readonly count: number
  readonly signal: AbortSignal | undefined
  /** When a loop that begins now ends, on the clock of performance.now(). */
  readonly deadline: () => number
}

export function checkLoop(options: PacketLoopOptions | undefined): Loop {
  const given = checkObject('options', options, ['count', 'durationMs', 'until', 'signal'])
  const { count, until } = given
  const durationMs = checkMilliseconds('options.durationMs', given.durationMs, Infinity)
  let latest = Infinity
  if (until !== undefined) {
    const time = types.isDate(until) ? until.getTime() : until
    if (typeof time !== 'number' || Number.isNaN(time)) {
      throw wrongType('options.until', 'a valid Date or epoch milliseconds', until)
    }
    latest = performance.now() + (time - Date.now())
  }
  return {
    count: count === Infinity ? Infinity : checkInteger('options.count', count, Infinity, 0, Number.MAX_SAFE_INTEGER),
    signal: checkSignal('options.signal', given.signal),
    deadline: () => Math.min(latest, performance.now() + durationMs),
  }
}

/** What a {@link BatchLoop} asks of its source. */
export interface BatchSupply {
  closed(): boolean
  take(): Batch | undefined
  /** The next batch is there already, of the same block as the one that take() gave last. */
  more(): boolean
  /**
   * Through a link that goes down and up again; undefined where there is nothing to wait for. `waiting` is given a
   * function that ends the wait.
   */
  wait(timeoutMs: number, waiting: (end: () => void) => void): Promise<void> | undefined
}

/**
 * The loop behind `for await`: going on releases the batch before. By hand, because an async generator costs several
 * promises a batch.
 */
export class BatchLoop implements AsyncIterableIterator<Batch, undefined> {
  readonly #supply: BatchSupply
  readonly #signal: AbortSignal | undefined
  readonly #deadline: number
  #batch: Batch | undefined
  #over = false
  readonly #steps = new Sequence()
  /** Ends the wait that a step is in. */
  #endWait: (() => void) | undefined

  constructor(supply: BatchSupply, signal: AbortSignal | undefined, deadline: number) {
    this.#supply = supply
    this.#signal = signal
    this.#deadline = deadline
  }

  next(): Promise<IteratorResult<Batch, undefined>> {
    // The rest of a block is there: no turn of the event loop, and no promise but the one that is owed.
    if (this.#steps.idle && this.#batch !== undefined && this.#supply.more() && !this.#stopped()) {
      try {
        const next = this.#take()
        if (next !== undefined) return Promise.resolve(next)
      } catch (error) {
        return rejected(error)
      }
    }
    return this.#steps.add(() => this.#step())
  }

  /** Ends the loop now: a next() that waits resolves as done. */
  return(): Promise<IteratorResult<Batch, undefined>> {
    this.#over = true
    this.#endWait?.()
    return this.#steps.add(() => this.#end())
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Whether something other than the supply ends the loop. */
  #stopped(): boolean {
    return this.#over || this.#supply.closed() || this.#signal?.aborted === true || performance.now() >= this.#deadline
  }

  /** Releases the batch before and takes the next, if there is one. */
  #take(): IteratorResult<Batch, undefined> | undefined {
    this.#batch?.release()
    this.#batch = undefined
    try {
      this.#batch = this.#supply.take()
    } catch (error) {
      this.#over = true
      if (!this.#supply.closed() || !hasCode(error, 'ERR_NETRING_CLOSED')) throw error
    }
    return this.#batch && { done: false, value: this.#batch }
  }

  async #step(): Promise<IteratorResult<Batch, undefined>> {
    try {
      let turn = this.#batch === undefined
      this.#batch?.release()
      this.#batch = undefined
      let ready = false
      while (!this.#over && !this.#supply.closed()) {
        this.#signal?.throwIfAborted()
        const left = this.#deadline - performance.now()
        if (left <= 0) break
        if (ready) {
          const next = this.#take()
          if (next !== undefined) return next
          turn = false
        }
        // A wait is a turn of the event loop, unless there is nothing to wait for.
        const waiting = this.#supply.wait(left, (end) => (this.#endWait = end))
        if (waiting !== undefined) await waiting
        else if (!turn) await nextTurn()
        ready = true
      }
    } catch (error) {
      this.#end()
      if (!this.#supply.closed() || !hasCode(error, 'ERR_NETRING_CLOSED')) throw error
    }
    return this.#end()
  }

  #end(): IteratorResult<Batch, undefined> {
    this.#over = true
    this.#batch?.release()
    this.#batch = undefined
    return { done: true, value: undefined }
  }
}

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

/** The loop over a source's batches. */
import { nextTurn } from '../async/event-loop.js'
import { rejected, Sequence } from '../async/sequence.js'
import { hasCode } from '../errors/netring-error.js'
import type { Batch } from '../packet/batch.js'

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

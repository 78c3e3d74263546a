/** What sources and sinks have in common: events, and an end. */
import { Emitter } from './emitter.js'

/** What lends batches or slots; these look at `closed`. */
export interface Closable {
  closed: boolean
}

/**
 * Base of every source and sink. Subclasses give `on` the types of their events, and say in `end` what closing does.
 */
export abstract class Endpoint extends Emitter implements Disposable {
  readonly #lender: Closable

  protected constructor(lender: Closable, names: readonly string[]) {
    super(names)
    this.#lender = lender
  }

  /** Whether close() was called. */
  get closed(): boolean {
    return this.#lender.closed
  }

  /**
   * Idempotent, and to be called from anywhere: a listener, a loop, while a promise waits. What that frees is free when
   * it returns; 'close' listeners are called a little later.
   */
  close(): void {
    if (this.#lender.closed) return
    this.#lender.closed = true
    try {
      this.end()
    } finally {
      process.nextTick(() => {
        this.emit('close')
      })
    }
  }

  /** Rejects who waits and frees what is native. Called once. */
  protected abstract end(): void

  /** close(), for `using`. */
  [Symbol.dispose](): void {
    this.close()
  }
}

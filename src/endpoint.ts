/** What sources and sinks have in common: events, and an end. */
import { EventEmitter } from 'node:events'
import { wrongType } from './options/check.js'

/** What lends batches or slots; these look at `closed`. */
export interface Closable {
  closed: boolean
}

/**
 * Base of every source and sink. Subclasses give `on` the types of their events, and say in `end` what closing does.
 */
export abstract class Endpoint implements Disposable {
  readonly #lender: Closable
  readonly #names: readonly string[]
  readonly #events = new EventEmitter()

  protected constructor(lender: Closable, names: readonly string[]) {
    this.#lender = lender
    this.#names = names
  }

  /** Checks the name and adds the listener. */
  protected listen(event: string, listener: (...args: never[]) => void): void {
    if (!this.#names.includes(event)) throw wrongType('event', `one of ${this.#names.join(', ')}`, event)
    this.#events.on(event, listener as (...args: unknown[]) => void)
  }

  protected emit(event: string, ...args: unknown[]): void {
    this.#events.emit(event, ...args)
  }

  /** Takes a listener off again; nothing where it is not one. */
  off(event: string, listener: (...args: never[]) => void): this {
    this.#events.off(event, listener as (...args: unknown[]) => void)
    return this
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

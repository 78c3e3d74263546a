/** What sources, sinks and bridges have in common: events, and an end. */
import { Emitter } from './emitter.js'

/** What views and waits look at to know whether their source or sink is closed. */
export interface ClosedFlag {
  closed: boolean
}

/**
 * Base of every source and sink. Subclasses give `on` the types of their events, and say in `end` what closing does.
 */
export abstract class Closable extends Emitter implements Disposable {
  readonly #flags: readonly ClosedFlag[]

  /** `flags` are set together by close(); there is one at least. */
  protected constructor(flags: readonly ClosedFlag[], names: readonly string[]) {
    super(names)
    this.#flags = flags
  }

  /** Whether close() was called. */
  get closed(): boolean {
    return this.#flags[0]?.closed === true
  }

  /**
   * Idempotent, and to be called from anywhere: a listener, a loop, while a promise waits. What it frees is free when it
   * returns; 'close' listeners are called a little later.
   */
  close(): void {
    if (this.closed) return
    for (const flag of this.#flags) flag.closed = true
    try {
      this.end()
    } finally {
      process.nextTick(() => {
        this.emit('close')
      })
    }
  }

  /** Rejects every wait and frees what is native. Called once. */
  protected abstract end(): void

  /** close(), for `using`. */
  [Symbol.dispose](): void {
    this.close()
  }
}

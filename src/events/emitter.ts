/** Events by name, checked. */
import { EventEmitter } from 'node:events'
import { wrongType } from '../check/arguments.js'

/** Base of whatever has events. Subclasses give `on` the types of theirs. */
export abstract class Emitter {
  readonly #names: readonly string[]
  readonly #events = new EventEmitter()

  protected constructor(names: readonly string[]) {
    this.#names = names
  }

  /** Checks the name and adds the listener. */
  protected listen(event: string, listener: (...args: never[]) => void): void {
    this.#events.on(this.#checked(event), listener as (...args: unknown[]) => void)
  }

  /** As listen(), for the next one only. */
  protected listenOnce(event: string, listener: (...args: never[]) => void): void {
    this.#events.once(this.#checked(event), listener as (...args: unknown[]) => void)
  }

  #checked(event: string): string {
    if (!this.#names.includes(event)) throw wrongType('event', `one of ${this.#names.join(', ')}`, event)
    return event
  }

  protected emit(event: string, ...args: unknown[]): void {
    this.#events.emit(event, ...args)
  }

  /** Emits an event for each of these, and then throws what a listener threw first. */
  protected emitEach(event: string, each: Iterable<readonly unknown[]>): void {
    const thrown: unknown[] = []
    for (const args of each) {
      try {
        this.emit(event, ...args)
      } catch (error) {
        thrown.push(error)
      }
    }
    if (thrown.length > 0) throw thrown[0]
  }

  /** Emits. What a listener throws becomes an uncaught exception and does not reach the caller. */
  protected emitApart(event: string, ...args: unknown[]): void {
    try {
      this.emit(event, ...args)
    } catch (error) {
      process.nextTick(() => {
        throw error
      })
    }
  }

  /** Whether the event has a listener. */
  protected hasListener(event: string): boolean {
    return this.#events.listenerCount(event) > 0
  }

  /** Takes a listener off again; nothing where it is not one. */
  off(event: string, listener: (...args: never[]) => void): this {
    this.#events.off(event, listener as (...args: unknown[]) => void)
    return this
  }
}

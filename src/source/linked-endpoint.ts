/** What watches an interface's link, and is told of it and of more by the addon. */
import { Endpoint, type Closable } from '../endpoint.js'
import { fromNative } from '../errors.js'
import { weakly } from '../weakly.js'
import { linkEvents, Message } from './signals.js'

/** Events of a source. `linkDown` and `linkUp` follow the interface's flag and its carrier. */
export type SourceEvent = 'linkDown' | 'linkUp' | 'removed' | 'close'
const sourceEvents: readonly SourceEvent[] = ['linkDown', 'linkUp', 'removed', 'close']

/** The native side of watching. */
interface LinkWatcher {
  watchLink(waker: (message: number) => void): void
  /** After watching has failed: the next watchLink() tries again. */
  unwatchLink(): void
}

/** Base of what receives from an interface. */
export abstract class LinkedEndpoint extends Endpoint {
  /** What the addon calls, and holds for good. For subclasses. */
  protected readonly onMessage: (message: number) => void
  readonly #watcher: LinkWatcher

  protected constructor(lender: Closable, watcher: LinkWatcher) {
    super(lender, sourceEvents)
    this.#watcher = watcher
    this.onMessage = weakly<LinkedEndpoint>(this, this.#receive)
  }

  #receive(message: number): void {
    if (this.closed) return
    if (message === Message.wake) {
      this.woken()
      return
    }
    const event = linkEvents.get(message)
    if (event !== undefined) {
      this.emit(event)
      return
    }
    this.#watcher.unwatchLink()
    process.emitWarning(
      'The link can no longer be watched: there will be no more linkDown and linkUp events; on() tries again.',
      { type: 'NetringWarning', code: 'NETRING_LINK_WATCH' },
    )
  }

  /** There is something to look at. */
  protected abstract woken(): void

  /** Whether a wait keeps the process alive. */
  protected abstract refer(referenced: boolean): void

  /** Events inform; failures reach whoever waits or calls, never as an 'error' event. */
  on(event: SourceEvent, listener: () => void): this {
    this.listen(event, listener)
    if (event !== 'close' && !this.closed) {
      try {
        this.#watcher.watchLink(this.onMessage)
      } catch (error) {
        this.off(event, listener)
        throw fromNative(error)
      }
    }
    return this
  }

  /** Keeps the process alive while something waits here: the default. */
  ref(): this {
    this.refer(true)
    return this
  }

  /** Lets the process end although something waits here. */
  unref(): this {
    this.refer(false)
    return this
  }
}

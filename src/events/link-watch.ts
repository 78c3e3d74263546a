/** Watching the link of an interface: a part of what receives from one. */
import { fromNative } from '../errors/native.js'
import { linkEvents, type LinkEvent } from './messages.js'

/** The native side of watching. */
interface NativeLink {
  watchLink(waker: (message: number) => void): void
  /** After watching has failed: the next watchLink() tries again. */
  unwatchLink(): void
}

export class LinkWatch {
  readonly #native: NativeLink
  readonly #onMessage: (message: number) => void

  /** The addon calls `onMessage` with each change. */
  constructor(nativeLink: NativeLink, onMessage: (message: number) => void) {
    this.#native = nativeLink
    this.#onMessage = onMessage
  }

  /** Idempotent. @throws NetringError ERR_NETRING_IO */
  start(): void {
    try {
      this.#native.watchLink(this.#onMessage)
    } catch (error) {
      throw fromNative(error)
    }
  }

  /** The event that a message is about; undefined where watching has failed, of which it warns. */
  event(message: number): LinkEvent | undefined {
    const event = linkEvents.get(message)
    if (event !== undefined) return event
    this.#native.unwatchLink()
    process.emitWarning(
      'The link can no longer be watched: there will be no more linkDown and linkUp events; on() tries again.',
      { type: 'NetringWarning', code: 'NETRING_LINK_WATCH' },
    )
    return undefined
  }
}

/** The loop behind `for await` over a channel. */
import { hasCode } from '../errors/netring-error.js'
import type { OwnedPacket } from '../packet/packet.js'

/** What a {@link ChannelLoop} asks of its channel. */
export interface PacketSupply {
  /** The next packet, where it is fetched already and no other call waits for it. */
  next(): OwnedPacket | undefined
  /** The next packet, waiting for it. */
  wait(signal: AbortSignal): Promise<OwnedPacket>
}

/** Written by hand, because an async generator costs several promises a packet. */
export class ChannelLoop implements AsyncIterableIterator<OwnedPacket, undefined> {
  readonly #supply: PacketSupply
  readonly #over = new AbortController()

  constructor(supply: PacketSupply) {
    this.#supply = supply
  }

  next(): Promise<IteratorResult<OwnedPacket, undefined>> {
    const packet = this.#over.signal.aborted ? undefined : this.#supply.next()
    return packet === undefined ? this.#wait() : Promise.resolve({ done: false, value: packet })
  }

  /** Through a link that goes down and up again, to the channel's end. */
  async #wait(): Promise<IteratorResult<OwnedPacket, undefined>> {
    const { signal } = this.#over
    while (!signal.aborted) {
      try {
        return { done: false, value: await this.#supply.wait(signal) }
      } catch (error) {
        if (hasCode(error, 'ERR_NETRING_LINK_DOWN')) continue
        if (signal.aborted) break
        this.#over.abort()
        if (!hasCode(error, 'ERR_NETRING_CLOSED')) throw error
      }
    }
    return { done: true, value: undefined }
  }

  /** Ends the loop now: a next() that waits resolves as done. */
  return(): Promise<IteratorResult<OwnedPacket, undefined>> {
    this.#over.abort()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

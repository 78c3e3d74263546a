/** What a channel has fetched from its queue, passed on packet by packet. */
import type { NativeChannel } from '../binding.js'
import { fromNative } from '../errors.js'
import { OwnedStore } from '../source/owned-store.js'
import { StoredPacket, type OwnedPacket } from '../source/packet.js'

/**
 * Many packets are fetched at once, into one buffer; passing one on is then no native call. Until it is passed on a packet
 * still is in the queue: with 'dropOldest' the draining thread may drop it. Both sides claim packets by adding to one
 * counter in shared memory, and a packet is whose addition steps over it.
 */
export class Inbox {
  readonly #native: NativeChannel
  readonly #position: Uint32Array
  #store: OwnedStore | undefined
  /** What was wrong when there were packets to pass on first. */
  #failure: Error | undefined

  constructor(nativeChannel: NativeChannel) {
    this.#native = nativeChannel
    this.#position = new Uint32Array(nativeChannel.position())
  }

  /** The next of the packets that are fetched already. */
  next(): OwnedPacket | undefined {
    const store = this.#store
    if (store === undefined) return undefined
    const index = Atomics.add(this.#position, 0, 1)
    if (index + 1 >= store.length) this.#store = undefined
    return index < store.length ? new StoredPacket(store, index) : undefined
  }

  /** The next packet, or undefined where the queue is empty. Throws what the source says, once nothing is left. */
  take(): OwnedPacket | undefined {
    const next = this.next()
    if (next !== undefined) return next
    const store = this.#fetch(1)
    return store && new StoredPacket(store, 0)
  }

  /** As many packets as there are, at most `most`. */
  takeMany(most: number): OwnedPacket[] {
    const packets: OwnedPacket[] = []
    if (this.#store !== undefined) {
      const wanted = Math.min(most, this.#store.length)
      this.#pass(this.#store, Atomics.add(this.#position, 0, wanted), wanted, packets)
    }
    while (packets.length < most) {
      const wanted = most - packets.length
      let store
      try {
        store = this.#fetch(wanted)
      } catch (error) {
        if (packets.length === 0) throw error
        this.#failure = error as Error
      }
      if (store === undefined) break
      this.#pass(store, 0, wanted, packets)
    }
    return packets
  }

  #pass(store: OwnedStore, from: number, most: number, packets: OwnedPacket[]): void {
    const end = Math.min(from + most, store.length)
    for (let index = from; index < end; index++) packets.push(new StoredPacket(store, index))
    if (end === store.length) this.#store = undefined
  }

  /** Fetches packets, of which the first `passedOn` are passed on at once. */
  #fetch(passedOn: number): OwnedStore | undefined {
    if (this.#failure !== undefined) {
      const failure = this.#failure
      this.#failure = undefined
      throw failure
    }
    try {
      const { packets, bytes } = this.#native.fetch(passedOn)
      if (packets === 0) return undefined
      const store = OwnedStore.filled(packets, bytes, (data, columns) => {
        this.#native.copy(data, columns)
      })
      if (passedOn < packets) this.#store = store
      return store
    } catch (error) {
      throw fromNative(error)
    }
  }

  /** Forgets what was fetched. */
  clear(): void {
    this.#store = undefined
  }
}

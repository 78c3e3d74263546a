/** Packets that were fetched from a channel's queue and not consumed yet. */
import type { NativeChannel } from '../addon/binding.js'
import { fromNative } from '../errors/native.js'
import { OwnedStore } from '../packet/owned-store.js'
import type { OwnedPacket } from '../packet/packet.js'
import { StoredPacket } from '../packet/stored-packet.js'

/**
 * One native call fetches many packets into one buffer, so that consuming one needs none. Until it is consumed a packet
 * still belongs to the queue: with 'dropOldest' the capture thread may drop it. Both sides claim packets by adding to one
 * counter in shared memory: a packet belongs to the side whose addition steps over it.
 */
export class PrefetchBuffer {
  readonly #native: NativeChannel
  readonly #position: Uint32Array
  #store: OwnedStore | undefined
  /** An error that came behind packets, which are consumed first. */
  #failure: Error | undefined

  constructor(nativeChannel: NativeChannel) {
    this.#native = nativeChannel
    this.#position = new Uint32Array(nativeChannel.position())
  }

  /** The next packet that is fetched already. */
  next(): OwnedPacket | undefined {
    const store = this.#store
    if (store === undefined) return undefined
    const index = Atomics.add(this.#position, 0, 1)
    if (index + 1 >= store.length) this.#store = undefined
    return index < store.length ? new StoredPacket(store, index) : undefined
  }

  /** The next packet, or undefined where the queue is empty. Throws the source's error once nothing is left. */
  take(): OwnedPacket | undefined {
    const next = this.next()
    if (next !== undefined) return next
    const store = this.#fetch(1)
    return store && new StoredPacket(store, 0)
  }

  /** What is queued, at most `most` packets. */
  takeMany(most: number): OwnedPacket[] {
    const parts: OwnedPacket[][] = []
    const store = this.#store
    // No more than is queued now: packets that come as fast as they are read would never let this end.
    let wanted = Math.min(most, Math.max(1, this.#native.queued()))
    if (store !== undefined) {
      const from = Atomics.add(this.#position, 0, Math.min(wanted, store.length))
      wanted -= this.#take(store, from, wanted, parts)
    }
    while (wanted > 0) {
      const fetched = this.#fetchMore(parts, wanted)
      if (fetched === undefined) break
      wanted -= this.#take(fetched, 0, wanted, parts)
    }
    const [first, ...more] = parts
    if (first === undefined) return []
    return more.length === 0 ? first : first.concat(...more)
  }

  /** Adds at most `most` packets, the first of them `from`, to the parts, and says how many. */
  #take(store: OwnedStore, from: number, most: number, parts: OwnedPacket[][]): number {
    const end = Math.min(from + most, store.length)
    if (end === store.length) this.#store = undefined
    if (from >= end) return 0
    parts.push(packetsOf(store, from, end))
    return end - from
  }

  /** Fetches more; where that fails, packets that came before the error are consumed first. */
  #fetchMore(parts: readonly OwnedPacket[][], wanted: number): OwnedStore | undefined {
    try {
      return this.#fetch(wanted)
    } catch (error) {
      if (parts.length === 0) throw error
      this.#failure = error as Error
      return undefined
    }
  }

  /** Fetches packets; the first `consumed` of them are consumed at once. */
  #fetch(consumed: number): OwnedStore | undefined {
    if (this.#failure !== undefined) {
      const failure = this.#failure
      this.#failure = undefined
      throw failure
    }
    try {
      const { packets, bytes } = this.#native.fetch(consumed)
      if (packets === 0) return undefined
      const store = OwnedStore.filled(packets, bytes, (data, columns) => {
        this.#native.copy(data, columns)
      })
      if (consumed < packets) this.#store = store
      return store
    } catch (error) {
      throw fromNative(error)
    }
  }

  /** Drops an error that was not reported yet. */
  clearError(): void {
    this.#failure = undefined
  }

  /** Drops what was fetched. */
  clear(): void {
    this.#store = undefined
  }
}

/** An array of the right length from the start costs half of one that grows. */
function packetsOf(store: OwnedStore, from: number, end: number): OwnedPacket[] {
  const packets = new Array<OwnedPacket>(end - from)
  for (let index = from; index < end; index++) packets[index - from] = new StoredPacket(store, index)
  return packets
}

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
    const parts: OwnedPacket[][] = []
    const store = this.#store
    // No more than is queued now: what comes meanwhile would have no end while it comes as fast as it is read.
    let wanted = Math.min(most, Math.max(1, this.#native.queued()))
    if (store !== undefined) {
      const from = Atomics.add(this.#position, 0, Math.min(wanted, store.length))
      wanted -= this.#pass(store, from, wanted, parts)
    }
    while (wanted > 0) {
      const fetched = this.#fetchAfter(parts, wanted)
      if (fetched === undefined) break
      wanted -= this.#pass(fetched, 0, wanted, parts)
    }
    const [first, ...more] = parts
    if (first === undefined) return []
    return more.length === 0 ? first : first.concat(...more)
  }

  /** Adds at most `most` packets, the first of them `from`, to the parts, and says how many. */
  #pass(store: OwnedStore, from: number, most: number, parts: OwnedPacket[][]): number {
    const end = Math.min(from + most, store.length)
    if (end === store.length) this.#store = undefined
    if (from >= end) return 0
    parts.push(packetsOf(store, from, end))
    return end - from
  }

  /** Packets that came before an error are passed on first. */
  #fetchAfter(parts: readonly OwnedPacket[][], wanted: number): OwnedStore | undefined {
    try {
      return this.#fetch(wanted)
    } catch (error) {
      if (parts.length === 0) throw error
      this.#failure = error as Error
      return undefined
    }
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

  /** Forgets an error that nobody has been told of. */
  forgive(): void {
    this.#failure = undefined
  }

  /** Forgets what was fetched. */
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

/** Packets as objects: an index into columns, and nothing that is not asked for. */
import { inspect } from 'node:util'
import { moved, packetOver, type PacketBytes } from '../memory/views.js'
import { hardwareAddress } from '../parse/address.js'
import { parsePacket, type ParsedPacket } from '../parse/packet.js'
import { directions, PacketStatus, type Columns, type Direction } from './columns.js'
import type { OwnedPacket, Packet } from './packet.js'

/** What holds packets: a batch, or a copy. */
export interface PacketStore extends PacketBytes {
  readonly columns: Columns
  /** The bytes are gone. */
  readonly released: boolean
  /** A store that owns the bytes of this packet and has no other; itself where it owns its bytes. */
  copyOne(index: number): PacketStore
}

/** Packet `index` of a store. */
export class StoredPacket implements Packet {
  // Not #private: V8 up to Node 22 defines private fields one call at a time, twice the cost of the whole object.
  private readonly store: PacketStore
  private readonly index: number

  constructor(store: PacketStore, index: number) {
    this.store = store
    this.index = index
  }

  private columns(): Columns {
    const { store } = this
    if (store.released) store.check()
    return store.columns
  }
  private hasStatus(bit: number): boolean {
    return ((this.columns().status[this.index] ?? moved()) & bit) !== 0
  }

  get timestamp(): bigint {
    return BigInt(this.seconds) * 1_000_000_000n + BigInt(this.nanoseconds)
  }
  get seconds(): number {
    return this.columns().seconds[this.index] ?? moved()
  }
  get nanoseconds(): number {
    return this.columns().nanoseconds[this.index] ?? moved()
  }
  get length(): number {
    return this.columns().capturedLength[this.index] ?? moved()
  }
  get originalLength(): number {
    return this.columns().originalLength[this.index] ?? moved()
  }
  get truncated(): boolean {
    return this.hasStatus(PacketStatus.truncated)
  }
  get losing(): boolean {
    return this.hasStatus(PacketStatus.losing)
  }
  get vlanValid(): boolean {
    return this.hasStatus(PacketStatus.vlanValid)
  }
  get vlanTpidValid(): boolean {
    return this.hasStatus(PacketStatus.vlanTpidValid)
  }
  get csumValid(): boolean {
    return this.hasStatus(PacketStatus.csumValid)
  }
  get csumNotReady(): boolean {
    return this.hasStatus(PacketStatus.csumNotReady)
  }
  get gsoTcp(): boolean {
    return this.hasStatus(PacketStatus.gsoTcp)
  }
  get rxhash(): number {
    return this.columns().rxhash[this.index] ?? moved()
  }
  get vlanTci(): number {
    return this.columns().vlanTci[this.index] ?? moved()
  }
  get vlanTpid(): number {
    return this.columns().vlanTpid[this.index] ?? moved()
  }
  get direction(): Direction {
    return directions[this.columns().direction[this.index] ?? moved()] ?? 'host'
  }
  get sourceAddress(): string {
    const { sourceAddress, addressLength } = this.columns()
    return hardwareAddress(sourceAddress, this.index * 8, addressLength[this.index] ?? moved())
  }
  get protocol(): number {
    return this.columns().protocol[this.index] ?? moved()
  }

  get data(): Buffer {
    const { store, index } = this
    const { offset, capturedLength } = store.columns
    return packetOver(store, offset[index], capturedLength[index])
  }

  copy(): OwnedPacket {
    this.store.check()
    const store = this.store.copyOne(this.index)
    return store === this.store ? this : new StoredPacket(store, 0)
  }

  parse(): ParsedPacket {
    return parsePacket(this.data, this.originalLength)
  }

  /** Every field as a plain object, for JSON and console.log. */
  toJSON(): Record<string, unknown> {
    const fields: Record<string, unknown> = {}
    for (const name of fieldNames) fields[name] = this[name]
    fields.timestamp = String(this.timestamp)
    return fields
  }
}

const fieldNames = [
  'timestamp',
  'length',
  'originalLength',
  'truncated',
  'losing',
  'vlanValid',
  'vlanTpidValid',
  'csumValid',
  'csumNotReady',
  'gsoTcp',
  'rxhash',
  'vlanTci',
  'vlanTpid',
  'direction',
  'sourceAddress',
  'protocol',
  'data',
] as const satisfies readonly (keyof StoredPacket)[]

/** What console.log shows. */
Object.defineProperty(StoredPacket.prototype, inspect.custom, {
  value(this: StoredPacket, _depth: number, options: object): string {
    try {
      return `Packet ${inspect(Object.fromEntries(fieldNames.map((name) => [name, this[name]])), options)}`
    } catch {
      return 'Packet { <released> }'
    }
  },
})

/**
 * The packets of a store, one after the other. Written by hand, because a generator costs 50 ns a packet. It ends, without an
 * error, where the batch is released on the way.
 */
export class PacketIterator implements IterableIterator<Packet, undefined> {
  readonly #store: PacketStore
  readonly #length: number
  #index = 0

  constructor(store: PacketStore, length: number) {
    this.#store = store
    this.#length = length
  }

  next(): IteratorResult<Packet, undefined> {
    if (this.#index >= this.#length || this.#store.released) return { done: true, value: undefined }
    return { done: false, value: new StoredPacket(this.#store, this.#index++) }
  }

  [Symbol.iterator](): this {
    return this
  }
}

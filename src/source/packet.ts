/** Packets as objects: an index into columns, and nothing that is not asked for. */
import { inspect } from 'node:util'
import { hardwareAddress } from '../parse/address.js'
import { parsePacket, type ParsedPacket } from '../parse/packet.js'
import { moved, packetOver, type PacketBytes } from './buffer.js'
import { directions, PacketStatus, type Columns, type Direction } from './columns.js'

/** What is known of a packet. After the batch was released every field throws `ERR_NETRING_RELEASED`. */
export interface PacketFields {
  /** Nanoseconds since the epoch. Allocates a BigInt; `seconds` and `nanoseconds` do not. */
  readonly timestamp: bigint
  /** Seconds since the epoch. */
  readonly seconds: number
  /** Nanoseconds of that second. */
  readonly nanoseconds: number
  /** Bytes captured. */
  readonly length: number
  /** Bytes on the wire. */
  readonly originalLength: number
  /** Fewer bytes captured than were on the wire. */
  readonly truncated: boolean
  /** Packets were dropped before this one: true of the first packet of a `losing` batch. */
  readonly losing: boolean
  /** There is a VLAN tag. */
  readonly vlanValid: boolean
  /** The tag's TPID is known. */
  readonly vlanTpidValid: boolean
  /** The hardware checked the checksum. */
  readonly csumValid: boolean
  /** The checksum is not computed yet: sent by this host, left to the hardware. */
  readonly csumNotReady: boolean
  /** Several TCP segments in one. */
  readonly gsoTcp: boolean
  /** Flow hash of the kernel; 0 where it had none. */
  readonly rxhash: number
  /** VLAN tag control information; 0 without a tag. */
  readonly vlanTci: number
  /** VLAN tag protocol identifier, such as 0x8100; 0 without a tag. */
  readonly vlanTpid: number
  /** Which way it went. */
  readonly direction: Direction
  /** Link-layer source address as 'aa:bb:cc:dd:ee:ff'; empty where the link has none. */
  readonly sourceAddress: string
  /** Ethertype, as the link layer said it. */
  readonly protocol: number
}

/** A packet of a batch on loan. */
export interface Packet extends PacketFields {
  /** View onto the ring, made when asked for (about 50 ns); empty once the batch is released. */
  readonly data: Buffer
  /** Its own bytes and fields, to keep. */
  copy(): OwnedPacket
  /**
   * Its headers as an object, one to two microseconds; `batch.parse()` gives those of all packets for a fraction of that. What
   * is wrong with them is the object's `error`, never a throw.
   * @throws NetringError ERR_NETRING_RELEASED
   */
  parse(): ParsedPacket
}

/** A packet that owns its bytes: nothing to release. */
export interface OwnedPacket extends PacketFields {
  /** Its own bytes. */
  readonly data: Buffer
  /** Its headers as an object, one to two microseconds. What is wrong with them is the object's `error`, never a throw. */
  parse(): ParsedPacket
}

/** Where packets are: a batch on loan, or a copy. */
export interface PacketStore extends PacketBytes {
  readonly columns: Columns
  /** The bytes cannot be had any more. */
  readonly gone: boolean
  /** A store of this packet only that owns its bytes; itself where it does already. */
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
    if (store.gone) store.check()
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

/** Packets as columns: one typed array a field, over one piece of memory. */
import { endianness } from 'node:os'
import { columnNumbers, columnStarts, constants } from '../addon/constants.js'
import { moved } from '../memory/views.js'

/** Which way a packet went; `direction` columns hold the index into this (PACKET_HOST … PACKET_OUTGOING). */
export const directions = ['host', 'broadcast', 'multicast', 'otherHost', 'outgoing'] as const
/** Which way a packet went. */
export type Direction = (typeof directions)[number]

/** Bits of the `status` column: TP_STATUS_* of include/uapi/linux/if_packet.h. */
export const PacketStatus = {
  /** Fewer bytes captured than were on the wire. */
  truncated: 0x2,
  /** Packets were dropped before this one. */
  losing: 0x4,
  /** The checksum is not computed yet: sent by this host, left to the hardware. */
  csumNotReady: 0x8,
  /** There is a VLAN tag. */
  vlanValid: 0x10,
  /** The tag's TPID is known. */
  vlanTpidValid: 0x40,
  /** The hardware checked the checksum. */
  csumValid: 0x80,
  /** Several TCP segments in one. */
  gsoTcp: 0x100,
  /** Stamped by the kernel. */
  timestampSoftware: 0x2000_0000,
  /** Stamped by the interface, in the system's time. */
  timestampSystemHardware: 0x4000_0000,
  /** Stamped by the interface. */
  timestampRawHardware: 0x8000_0000,
} as const

/**
 * Each array has `batch.length` entries and is empty after release().
 * @throws NetringError ERR_NETRING_RELEASED where JavaScript has moved their memory away (`transfer()`)
 */
export interface PacketColumns {
  /** `batch.buffer[offset[i]]` is the first byte of packet i's link-layer header. */
  readonly offset: Uint32Array
  /** Bytes present at the offset. */
  readonly capturedLength: Uint32Array
  /** Bytes on the wire. */
  readonly originalLength: Uint32Array
  /** Seconds since the epoch. */
  readonly seconds: Uint32Array
  /** Nanoseconds of that second. */
  readonly nanoseconds: Uint32Array
  /** Flow hash of the kernel; 0 where it had none. */
  readonly rxhash: Uint32Array
  /** {@link PacketStatus} bits. */
  readonly status: Uint32Array
  /** VLAN tag control information; 0 without a tag. */
  readonly vlanTci: Uint16Array
  /** VLAN tag protocol identifier, such as 0x8100; 0 without a tag. */
  readonly vlanTpid: Uint16Array
  /** Index into {@link directions}. */
  readonly direction: Uint8Array
  /** Ethertype as the link layer said it. */
  readonly protocol: Uint16Array
}

/** Every column of a batch by name: its number is a bit of the sets that the addon fills. */
export const Column: Readonly<Record<ColumnName, number>> = columnNumbers(constants?.columns, [
  'offset',
  'capturedLength',
  'originalLength',
  'seconds',
  'nanoseconds',
  'rxhash',
  'status',
  'vlanTci',
  'vlanTpid',
  'protocol',
  'direction',
  'addressLength',
  'sourceAddress',
])
type ColumnName = keyof PacketColumns | 'addressLength' | 'sourceAddress'

/** The set of columns that say where packets lie, which every access to bytes needs. */
export const POSITION_COLUMNS: number = (1 << Column.offset) | (1 << Column.capturedLength)

const starts = columnStarts(constants?.columns)
const BYTES_PER_PACKET = constants?.bytesPerPacket ?? 0
const CAPACITY_STEP = constants?.capacityStep ?? 1

/** Bytes of the columns' memory for so many packets. */
export function columnBytes(packets: number): number {
  return Math.ceil(packets / CAPACITY_STEP) * CAPACITY_STEP * BYTES_PER_PACKET
}

const none32 = new Uint32Array(0)
const none16 = new Uint16Array(0)
const none8 = new Uint8Array(0)

/** The memory of columns, which are filled when they are first asked for. */
export interface ColumnMemory {
  /** The memory of all columns with this one filled; undefined once it is gone. */
  demand(column: number): ArrayBuffer | undefined
}

/** Typed arrays over the columns' memory, made when asked for. */
export class Columns implements PacketColumns {
  // Not #private, as in BatchView.
  private readonly memory: ColumnMemory
  private readonly length: number
  private offsetArray: Uint32Array | undefined = undefined
  private capturedLengthArray: Uint32Array | undefined = undefined
  private originalLengthArray: Uint32Array | undefined = undefined
  private secondsArray: Uint32Array | undefined = undefined
  private nanosecondsArray: Uint32Array | undefined = undefined
  private rxhashArray: Uint32Array | undefined = undefined
  private statusArray: Uint32Array | undefined = undefined
  private vlanTciArray: Uint16Array | undefined = undefined
  private vlanTpidArray: Uint16Array | undefined = undefined
  private protocolArray: Uint16Array | undefined = undefined
  private directionArray: Uint8Array | undefined = undefined
  private addressLengthArray: Uint8Array | undefined = undefined
  private sourceAddressArray: Uint8Array | undefined = undefined

  constructor(memory: ColumnMemory, length: number) {
    this.memory = memory
    this.length = length
  }

  get offset(): Uint32Array {
    return (this.offsetArray ??= this.words(Column.offset))
  }
  get capturedLength(): Uint32Array {
    return (this.capturedLengthArray ??= this.words(Column.capturedLength))
  }
  get originalLength(): Uint32Array {
    return (this.originalLengthArray ??= this.words(Column.originalLength))
  }
  get seconds(): Uint32Array {
    return (this.secondsArray ??= this.words(Column.seconds))
  }
  get nanoseconds(): Uint32Array {
    return (this.nanosecondsArray ??= this.words(Column.nanoseconds))
  }
  get rxhash(): Uint32Array {
    return (this.rxhashArray ??= this.words(Column.rxhash))
  }
  get status(): Uint32Array {
    return (this.statusArray ??= this.words(Column.status))
  }
  get vlanTci(): Uint16Array {
    return (this.vlanTciArray ??= this.halves(Column.vlanTci))
  }
  get vlanTpid(): Uint16Array {
    return (this.vlanTpidArray ??= this.halves(Column.vlanTpid))
  }
  get protocol(): Uint16Array {
    return (this.protocolArray ??= this.halves(Column.protocol))
  }
  get direction(): Uint8Array {
    return (this.directionArray ??= this.bytes(Column.direction, 1))
  }
  /** Bytes of the link-layer source address that are used. */
  get addressLength(): Uint8Array {
    return (this.addressLengthArray ??= this.bytes(Column.addressLength, 1))
  }
  /** Link-layer source addresses, 8 bytes a packet. */
  get sourceAddress(): Uint8Array {
    return (this.sourceAddressArray ??= this.bytes(Column.sourceAddress, 8))
  }

  private words(column: number): Uint32Array {
    const memory = this.memory.demand(column)
    return memory === undefined ? none32 : new Uint32Array(memory, start(memory, column), this.length)
  }
  private halves(column: number): Uint16Array {
    const memory = this.memory.demand(column)
    return memory === undefined ? none16 : new Uint16Array(memory, start(memory, column), this.length)
  }
  private bytes(column: number, width: number): Uint8Array {
    const memory = this.memory.demand(column)
    return memory === undefined ? none8 : new Uint8Array(memory, start(memory, column), this.length * width)
  }
}

function start(memory: ArrayBuffer, column: number): number {
  if (memory.byteLength === 0) moved()
  return (starts[column] ?? 0) * (memory.byteLength / BYTES_PER_PACKET)
}

const LITTLE_ENDIAN = endianness() === 'LE'

/** Columns' memory for one packet, copied from row `index`. */
export function copyRow(from: Columns, index: number, length: number): ArrayBuffer {
  const memory = new ArrayBuffer(columnBytes(1))
  const view = new DataView(memory)
  const word = (column: number, value: number | undefined): void => {
    view.setUint32(start(memory, column), value ?? 0, LITTLE_ENDIAN)
  }
  const half = (column: number, value: number | undefined): void => {
    view.setUint16(start(memory, column), value ?? 0, LITTLE_ENDIAN)
  }
  word(Column.capturedLength, length)
  word(Column.originalLength, from.originalLength[index])
  word(Column.seconds, from.seconds[index])
  word(Column.nanoseconds, from.nanoseconds[index])
  word(Column.rxhash, from.rxhash[index])
  word(Column.status, from.status[index])
  half(Column.vlanTci, from.vlanTci[index])
  half(Column.vlanTpid, from.vlanTpid[index])
  half(Column.protocol, from.protocol[index])
  view.setUint8(start(memory, Column.direction), from.direction[index] ?? 0)
  view.setUint8(start(memory, Column.addressLength), from.addressLength[index] ?? 0)
  for (let byte = 0; byte < 8; byte++) {
    view.setUint8(start(memory, Column.sourceAddress) + byte, from.sourceAddress[index * 8 + byte] ?? 0)
  }
  return memory
}

/** Packets that own their bytes. */
import { columnBytes, Columns, type ColumnMemory } from './columns.js'
import type { PacketStore } from './stored-packet.js'

/** Packets in one buffer together, with their columns in another. They stay as long as they are reachable. */
export class OwnedStore implements PacketStore, ColumnMemory {
  readonly columns: Columns
  readonly released = false
  readonly memory: ArrayBufferLike
  readonly start: number
  readonly buffer: Uint8Array
  /** Packets. */
  readonly length: number
  private readonly rows: ArrayBuffer

  constructor(data: Buffer, rows: ArrayBuffer, length: number) {
    this.memory = data.buffer
    this.start = data.byteOffset
    this.buffer = data
    this.rows = rows
    this.length = length
    this.columns = new Columns(this, length)
  }

  /** A store of `length` packets that have `bytes` bytes together: `fill` copies both, the bytes end to end. */
  static filled(length: number, bytes: number, fill: (data: Buffer, columns: Uint8Array) => void): OwnedStore {
    // Not from the pool of small Buffers, whose memory others share. Not zeroed: rows that stay unused are out of reach.
    const data = Buffer.allocUnsafeSlow(bytes)
    const columns = Buffer.allocUnsafeSlow(columnBytes(length))
    fill(data, columns)
    return new OwnedStore(data, columns.buffer, length)
  }

  demand(): ArrayBuffer {
    return this.rows
  }

  check(): void {
    // Owned bytes are never released.
  }

  copyOne(): PacketStore {
    return this
  }
}

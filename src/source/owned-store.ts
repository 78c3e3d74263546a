/** Packets that own their bytes. */
import { BYTES_PER_PACKET, CAPACITY_STEP, Columns, type ColumnSource } from './columns.js'
import type { PacketStore } from './packet.js'

/** Packets in one buffer together, with their columns in another: nothing can be taken back. */
export class OwnedStore implements PacketStore, ColumnSource {
  readonly columns: Columns
  readonly gone = false
  readonly memory: ArrayBufferLike
  readonly start: number
  readonly bytes: Uint8Array
  /** Packets. */
  readonly length: number
  private readonly rows: ArrayBuffer

  constructor(data: Buffer, rows: ArrayBuffer, length: number) {
    this.memory = data.buffer
    this.start = data.byteOffset
    this.bytes = data
    this.rows = rows
    this.length = length
    this.columns = new Columns(this, length)
  }

  /** So many packets of so many bytes together: `fill` copies both, the bytes end to end. */
  static filled(length: number, bytes: number, fill: (data: Buffer, columns: Uint8Array) => void): OwnedStore {
    // Not from the pool of small Buffers, which others share. Nor zeroed: rows that stay unused are out of reach.
    const data = Buffer.allocUnsafeSlow(bytes)
    const columns = Buffer.allocUnsafeSlow(Math.ceil(length / CAPACITY_STEP) * CAPACITY_STEP * BYTES_PER_PACKET)
    fill(data, columns)
    return new OwnedStore(data, columns.buffer, length)
  }

  demand(): ArrayBuffer {
    return this.rows
  }

  check(): void {
    // Nothing can be taken back.
  }

  copyOne(): PacketStore {
    return this
  }
}

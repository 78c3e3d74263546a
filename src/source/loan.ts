/** A block on loan from the kernel: its views, its columns and its end. */
import type { NativeBatch } from '../binding.js'
import { fromNative, NetringError } from '../errors.js'
import type { BatchParser, ParsedColumns } from '../parse/columns.js'
import { bufferOver } from './buffer.js'
import { BYTES_PER_PACKET, CAPACITY_STEP, Columns, copyRow, PLACE, type ColumnSource } from './columns.js'
import type { NativeSource } from './native-source.js'
import type { PacketStore } from './packet.js'

/** What all loans of one source share. */
export interface Lender {
  readonly native: NativeSource
  readonly closed: boolean
  readonly parser: BatchParser
  /** Columns that earlier batches were asked for: filled with the rest in one walk. */
  wanted: number
}

/** What is left of a loan that nobody gave back. */
interface Forgotten {
  readonly lender: Lender
  readonly block: number
}

let warned = false

/** Gives back what the collector finds, and says so once. */
const forgotten = new FinalizationRegistry<Forgotten>(({ lender, block }) => {
  if (lender.closed) return
  lender.parser.end(block)
  lender.native.release(block)
  if (warned) return
  warned = true
  process.emitWarning('A batch was collected without release(); until then its block was lost to the ring.', {
    type: 'NetringWarning',
    code: 'NETRING_UNRELEASED_BATCH',
    detail: 'Use `using batch = ...`, `for await (const batch of capture)`, or call batch.release().',
  })
})

/**
 * ArrayBuffers keep their loan alive: a Buffer that is still in use must not become empty because the batch it came from
 * was collected.
 */
const owner = Symbol('netring.loan')

export class Loan implements PacketStore, ColumnSource {
  readonly columns: Columns
  readonly start = 0
  readonly #lender: Lender
  readonly #block: number
  readonly #length: number
  #released = false
  #filled = 0
  #columnMemory: ArrayBuffer | undefined
  #memory: ArrayBuffer | undefined
  #bytes: Buffer | undefined
  #parsed: ParsedColumns | undefined

  constructor(lender: Lender, batch: NativeBatch) {
    this.#lender = lender
    this.#block = batch.block
    this.#length = batch.length
    this.columns = new Columns(this, batch.length)
    forgotten.register(this, { lender, block: batch.block }, this)
  }

  get gone(): boolean {
    return this.#released || this.#lender.closed
  }

  check(): void {
    if (this.gone) throw releasedError(this.#lender.closed)
  }

  demand(column: number): ArrayBuffer | undefined {
    if (this.gone) return undefined
    if ((this.#filled & (1 << column)) === 0) this.#fill((1 << column) | PLACE)
    return this.#columnMemory
  }

  #fill(set: number): void {
    const lender = this.#lender
    const all = (lender.wanted |= set)
    try {
      if (this.#columnMemory === undefined) {
        this.#columnMemory = Object.assign(lender.native.columns(this.#block, all), { [owner]: this })
      } else {
        lender.native.fill(this.#block, all)
      }
    } catch (error) {
      throw fromNative(error)
    }
    this.#filled |= all
  }

  get bytes(): Buffer {
    if (this.gone) return this.#bytes ?? none
    const { memory } = this
    return (this.#bytes ??= bufferOver(memory, 0, memory.byteLength))
  }

  get memory(): ArrayBuffer {
    return (this.#memory ??= this.#view())
  }

  #view(): ArrayBuffer {
    try {
      return Object.assign(this.#lender.native.bytes(this.#block), { [owner]: this })
    } catch (error) {
      throw fromNative(error)
    }
  }

  parse(): ParsedColumns {
    this.check()
    const { parser } = this.#lender
    return (this.#parsed ??= parser.parse(this.#block, this.bytes, this.columns, this))
  }

  /** Copies every packet into one buffer of their own. */
  copyAll(): PacketStore {
    this.check()
    let size = 0
    for (const length of this.columns.capturedLength) size += length
    const data = Buffer.allocUnsafeSlow(size)
    const capacity = Math.ceil(this.#length / CAPACITY_STEP) * CAPACITY_STEP
    const rows = new ArrayBuffer(capacity * BYTES_PER_PACKET)
    try {
      this.#lender.native.copy(this.#block, data, new Uint8Array(rows))
    } catch (error) {
      throw fromNative(error)
    }
    return new OwnedStore(data, rows, this.#length)
  }

  copyOne(index: number): PacketStore {
    this.check()
    const { columns } = this
    const offset = columns.offset[index] ?? 0
    const data = Buffer.from(bufferOver(this.memory, offset, columns.capturedLength[index] ?? 0))
    return new OwnedStore(data, copyRow(columns, index, data.length), 1)
  }

  get length(): number {
    return this.gone ? 0 : this.#length
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    forgotten.unregister(this)
    if (this.#lender.closed) return
    try {
      if (this.#parsed !== undefined) this.#lender.parser.end(this.#block)
      this.#lender.native.release(this.#block)
    } catch (error) {
      throw fromNative(error)
    }
  }
}

const none = Buffer.alloc(0)

function releasedError(closed: boolean): NetringError {
  return closed
    ? new NetringError('ERR_NETRING_RELEASED', 'the source of this batch is closed; copy() what must live longer')
    : new NetringError('ERR_NETRING_RELEASED', 'this batch has been released; copy() what must live longer')
}

/** Packets that own their bytes. */
class OwnedStore implements PacketStore, ColumnSource {
  readonly columns: Columns
  readonly gone = false
  readonly memory: ArrayBufferLike
  readonly start: number
  readonly #rows: ArrayBuffer

  constructor(data: Buffer, rows: ArrayBuffer, count: number) {
    this.memory = data.buffer
    this.start = data.byteOffset
    this.#rows = rows
    this.columns = new Columns(this, count)
  }

  demand(): ArrayBuffer {
    return this.#rows
  }

  check(): void {
    // Nothing can be taken back.
  }

  copyOne(): PacketStore {
    return this
  }
}

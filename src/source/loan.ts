/** Packets on loan from the kernel: their views, their columns and their end. */
import { fromNative, NetringError } from '../errors.js'
import { parsedColumns, type ParsedColumns } from '../parse/columns.js'
import { warnOnce } from '../warnings.js'
import { bufferOver, keeping, moved, overwritten, packetOver } from './buffer.js'
import { Column, Columns, copyRow, PLACE, type ColumnSource } from './columns.js'
import type { NativeSource } from './native-source.js'
import { OwnedStore } from './owned-store.js'
import type { PacketStore } from './packet.js'

/** What all loans of one source share. */
export interface Lender {
  readonly native: NativeSource
  readonly closed: boolean
  /** Columns that earlier batches were asked for: filled with the rest in one walk. */
  wanted: number
  /** Columns that were asked for since `wanted` was looked through, and the batches since then. */
  used: number
  batches: number
}

/** One packet.copy() asks for every column: after this many batches those that nobody asked for again are forgotten. */
const FORGET_AFTER = 64

/** The columns to fill of the batch that is handed out next. */
export function columnsToFill(lender: Lender): number {
  if (++lender.batches > FORGET_AFTER) {
    lender.wanted = lender.used
    lender.used = 0
    lender.batches = 1
  }
  return lender.wanted
}

/** What is left of a loan that nobody gave back. */
interface Forgotten {
  readonly lender: Lender
  readonly id: number
}

/** Gives back what the collector finds, and says so once. */
const forgotten = new FinalizationRegistry<Forgotten>(({ lender, id }) => {
  if (lender.closed) return
  lender.native.release(id)
  warnOnce(
    'NETRING_UNRELEASED_BATCH',
    'A batch was collected without release(); until then its block was lost to the ring.',
    'Use `using batch = ...`, `for await (const batch of capture)`, or call batch.release().',
  )
})

export class Loan implements PacketStore, ColumnSource {
  readonly start = 0
  // Not #private: V8 up to Node 22 defines private fields one call at a time, and there is a loan a batch.
  private readonly lender: Lender
  private readonly id: number
  private readonly count: number
  private released = false
  private filled: number
  private columnMemory: ArrayBuffer | undefined = undefined
  private viewMemory: ArrayBuffer | undefined = undefined
  private view: Buffer | undefined = undefined
  private fields: Columns | undefined = undefined
  private parsed: ParsedColumns | undefined = undefined

  /** `filled`: the columns that the batch came with. */
  constructor(lender: Lender, id: number, length: number, filled: number) {
    this.lender = lender
    this.id = id
    this.count = length
    this.filled = filled
    forgotten.register(this, { lender, id }, this)
  }

  get columns(): Columns {
    return (this.fields ??= new Columns(this, this.count))
  }

  get gone(): boolean {
    return this.released || this.lender.closed
  }

  check(): void {
    if (this.gone) throw releasedError(this.lender.closed)
  }

  demand(column: number): ArrayBuffer | undefined {
    if (this.gone) return undefined
    try {
      this.columnMemory ??= keeping(this.lender.native.columns(this.id), this)
      const set = (1 << column) | PLACE
      this.lender.used |= set
      if ((this.filled & set) !== set) this.fill(set)
    } catch (error) {
      throw fromNative(error)
    }
    return this.columnMemory
  }

  private fill(set: number): void {
    const all = (this.lender.wanted |= set)
    this.lender.native.fill(this.id, all)
    this.filled |= all
  }

  get bytes(): Buffer {
    if (this.gone) return this.view ?? none
    const { memory } = this
    return (this.view ??= bufferOver(memory, 0, memory.byteLength))
  }

  get memory(): ArrayBuffer {
    if (this.viewMemory !== undefined) return this.viewMemory
    try {
      return (this.viewMemory = keeping(this.lender.native.bytes(this.id), this))
    } catch (error) {
      throw fromNative(error)
    }
  }

  parse(): ParsedColumns {
    this.check()
    return (this.parsed ??= this.parseAll())
  }

  private parseAll(): ParsedColumns {
    this.demand(Column.originalLength)
    try {
      return parsedColumns(keeping(this.lender.native.parse(this.id), this), this.count)
    } catch (error) {
      throw fromNative(error)
    }
  }

  /** Copies every packet into one buffer of their own. */
  copyAll(): PacketStore {
    this.check()
    const { capturedLength } = this.columns
    if (capturedLength.length < this.count) moved()
    let size = 0
    for (const length of capturedLength) size += length
    const present = this.memory.byteLength
    if (size > present) overwritten(`they say ${String(size)} bytes where there are ${String(present)}`)
    try {
      return OwnedStore.filled(this.count, size, (data, columns) => {
        this.lender.native.copy(this.id, data, columns)
      })
    } catch (error) {
      throw fromNative(error)
    }
  }

  copyOne(index: number): PacketStore {
    this.check()
    const { columns } = this
    const data = Buffer.from(packetOver(this, columns.offset[index], columns.capturedLength[index]))
    return new OwnedStore(data, copyRow(columns, index, data.length), 1)
  }

  get length(): number {
    return this.gone ? 0 : this.count
  }

  release(): void {
    if (this.released) return
    this.released = true
    forgotten.unregister(this)
    if (this.lender.closed) return
    try {
      this.lender.native.release(this.id)
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

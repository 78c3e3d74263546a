/** A batch over memory that the kernel gets back. */
import { fromNative } from '../errors/native.js'
import { NetringError } from '../errors/netring-error.js'
import { warnOnce } from '../errors/warnings.js'
import { bufferOver, keeping, moved, overwritten, packetOver } from '../memory/views.js'
import type { Batch } from '../packet/batch.js'
import { Column, Columns, copyRow, POSITION_COLUMNS, type ColumnMemory } from '../packet/columns.js'
import type { LinkType } from '../packet/link-type.js'
import { OwnedStore } from '../packet/owned-store.js'
import type { OwnedPacket, Packet } from '../packet/packet.js'
import { PacketIterator, StoredPacket, type PacketStore } from '../packet/stored-packet.js'
import { parsedColumns, type ParsedColumns } from '../parse/columns.js'
import type { BatchHeader } from './batch-header.js'
import type { SourceState } from './source-state.js'

/** What the collector leaves of a batch that was not released. */
interface Forgotten {
  readonly source: SourceState
  readonly id: number
}

/** Releases a batch that was collected, and warns of it once. */
const forgotten = new FinalizationRegistry<Forgotten>(({ source, id }) => {
  if (source.closed) return
  source.native.release(id)
  warnOnce(
    'NETRING_UNRELEASED_BATCH',
    'A batch was collected without release(); until then its block was lost to the ring.',
    'Use `using batch = ...`, `for await (const batch of capture)`, or call batch.release().',
  )
})

const none = Buffer.alloc(0)

export class BatchView implements Batch, PacketStore, ColumnMemory {
  readonly seqNum: number
  readonly timedOut: boolean
  readonly losing: boolean
  readonly start = 0
  // Not #private: V8 up to Node 22 defines private fields one call at a time, and each batch is such an object.
  private readonly source: SourceState
  private readonly id: number
  private readonly count: number
  private ended = false
  private filled: number
  private columnMemory: ArrayBuffer | undefined = undefined
  private bytesMemory: ArrayBuffer | undefined = undefined
  private view: Buffer | undefined = undefined
  private fields: Columns | undefined = undefined
  private parsed: ParsedColumns | undefined = undefined

  /** Of the batch that `header` describes; `filled`: the columns that are filled already. */
  constructor(source: SourceState, id: number, header: BatchHeader, filled: number) {
    this.seqNum = header.seqNum
    this.timedOut = header.timedOut
    this.losing = header.losing
    this.source = source
    this.id = id
    this.count = header.length
    this.filled = filled
    forgotten.register(this, { source, id }, this)
  }

  get linkType(): LinkType {
    return this.source.linkType
  }
  get length(): number {
    return this.released ? 0 : this.count
  }
  get released(): boolean {
    return this.ended || this.source.closed
  }
  get columns(): Columns {
    return (this.fields ??= new Columns(this, this.count))
  }
  get firstTimestamp(): bigint {
    return new StoredPacket(this, 0).timestamp
  }
  get lastTimestamp(): bigint {
    return new StoredPacket(this, this.count - 1).timestamp
  }

  get buffer(): Buffer {
    if (this.released) return this.view ?? none
    const { memory } = this
    return (this.view ??= bufferOver(memory, 0, memory.byteLength))
  }

  get memory(): ArrayBuffer {
    if (this.bytesMemory !== undefined) return this.bytesMemory
    try {
      return (this.bytesMemory = keeping(this.source.native.bytes(this.id), this))
    } catch (error) {
      throw fromNative(error)
    }
  }

  check(): void {
    if (this.released) throw releasedError(this.source.closed)
  }

  demand(column: number): ArrayBuffer | undefined {
    if (this.released) return undefined
    try {
      this.columnMemory ??= keeping(this.source.native.columns(this.id), this)
      const set = (1 << column) | POSITION_COLUMNS
      this.source.used |= set
      if ((this.filled & set) !== set) this.fill(set)
    } catch (error) {
      throw fromNative(error)
    }
    return this.columnMemory
  }

  private fill(set: number): void {
    const all = (this.source.wanted |= set)
    this.source.native.fill(this.id, all)
    this.filled |= all
  }

  at(index: number): Packet | undefined {
    this.check()
    const at = Math.trunc(index) || 0
    const from = at < 0 ? at + this.count : at
    return from >= 0 && from < this.count ? new StoredPacket(this, from) : undefined
  }

  [Symbol.iterator](): IterableIterator<Packet, undefined> {
    this.check()
    return new PacketIterator(this, this.count)
  }

  copy(): OwnedPacket[] {
    const store = this.copyAll()
    return Array.from({ length: this.count }, (_, index) => new StoredPacket(store, index))
  }

  /** Copies every packet into one buffer of their own. */
  private copyAll(): PacketStore {
    this.check()
    const { capturedLength } = this.columns
    if (capturedLength.length < this.count) moved()
    let size = 0
    for (const length of capturedLength) size += length
    const present = this.memory.byteLength
    if (size > present) overwritten(`they say ${String(size)} bytes where there are ${String(present)}`)
    try {
      return OwnedStore.filled(this.count, size, (data, columns) => {
        this.source.native.copy(this.id, data, columns)
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

  parse(): ParsedColumns {
    this.check()
    return (this.parsed ??= this.parseAll())
  }

  private parseAll(): ParsedColumns {
    this.demand(Column.originalLength)
    try {
      return parsedColumns(keeping(this.source.native.parse(this.id), this), this.count)
    } catch (error) {
      throw fromNative(error)
    }
  }

  /** Ends the batch without giving it back: the caller does that. */
  detach(): void {
    this.ended = true
    forgotten.unregister(this)
  }

  release(): void {
    if (this.ended) return
    this.detach()
    if (this.source.closed) return
    try {
      this.source.native.release(this.id)
    } catch (error) {
      throw fromNative(error)
    }
  }
  [Symbol.dispose](): void {
    this.release()
  }
}

function releasedError(closed: boolean): NetringError {
  return closed
    ? new NetringError('ERR_NETRING_RELEASED', 'the source of this batch is closed; copy() what must live longer')
    : new NetringError('ERR_NETRING_RELEASED', 'this batch has been released; copy() what must live longer')
}

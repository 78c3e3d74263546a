/** A block on loan from the kernel: its views, its columns and its end. */
import type { NativeBatch } from '../binding.js'
import { fromNative, NetringError } from '../errors.js'
import { bufferOver } from './buffer.js'
import { BYTES_PER_PACKET, CAPACITY_STEP, Columns, PLACE, type ColumnSource } from './columns.js'
import type { NativeSource } from './native-source.js'
import type { PacketStore } from './packet.js'

/** What all loans of one source share. */
export interface Lender {
  readonly native: NativeSource
  readonly closed: boolean
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
  readonly #lender: Lender
  readonly #block: number
  readonly #length: number
  #released = false
  #filled = 0
  #memory: ArrayBuffer | undefined
  #bytes: Buffer | undefined

  constructor(lender: Lender, batch: NativeBatch) {
    this.#lender = lender
    this.#block = batch.block
    this.#length = batch.length
    this.columns = new Columns(this, batch.length)
    forgotten.register(this, { lender, block: batch.block }, this)
  }

  get released(): boolean {
    return this.#released || this.#lender.closed
  }

  check(): void {
    if (this.released) throw releasedError(this.#lender.closed)
  }

  demand(column: number): ArrayBuffer | undefined {
    if (this.released) return undefined
    if ((this.#filled & (1 << column)) === 0) this.#fill((1 << column) | PLACE)
    return this.#memory
  }

  #fill(set: number): void {
    const lender = this.#lender
    const all = (lender.wanted |= set)
    try {
      if (this.#memory === undefined) {
        this.#memory = Object.assign(lender.native.columns(this.#block, all), { [owner]: this })
      } else {
        lender.native.fill(this.#block, all)
      }
    } catch (error) {
      throw fromNative(error)
    }
    this.#filled |= all
  }

  get bytes(): Buffer {
    if (this.released) return this.#bytes ?? none
    if (this.#bytes === undefined) {
      try {
        const memory = Object.assign(this.#lender.native.bytes(this.#block), { [owner]: this })
        this.#bytes = bufferOver(memory, 0, memory.byteLength)
      } catch (error) {
        throw fromNative(error)
      }
    }
    return this.#bytes
  }

  view(offset: number, length: number): Buffer {
    return bufferOver((this.#bytes ?? this.bytes).buffer, offset, length)
  }

  /** Copies packets into one buffer of their own. */
  copy(first: number, count: number): PacketStore {
    this.check()
    const lengths = this.columns.capturedLength
    let size = 0
    for (let index = first; index < first + count; index++) size += lengths[index] ?? 0
    const data = Buffer.allocUnsafeSlow(size)
    const capacity = Math.ceil(count / CAPACITY_STEP) * CAPACITY_STEP
    const rows = new ArrayBuffer(capacity * BYTES_PER_PACKET)
    try {
      this.#lender.native.copy(this.#block, first, count, data, new Uint8Array(rows))
    } catch (error) {
      throw fromNative(error)
    }
    return new OwnedStore(data, rows, count)
  }

  get length(): number {
    return this.released ? 0 : this.#length
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    forgotten.unregister(this)
    if (this.#lender.closed) return
    try {
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
  readonly #data: Buffer
  readonly #rows: ArrayBuffer

  constructor(data: Buffer, rows: ArrayBuffer, count: number) {
    this.#data = data
    this.#rows = rows
    this.columns = new Columns(this, count)
  }

  demand(): ArrayBuffer {
    return this.#rows
  }

  check(): void {
    // Nothing can be taken back.
  }

  view(offset: number, length: number): Buffer {
    return bufferOver(this.#data.buffer, this.#data.byteOffset + offset, length)
  }

  copy(): PacketStore {
    return this
  }
}

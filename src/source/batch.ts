/** A batch: a run of packets in one buffer, with columns, and a way to give it back. */
import type { ParsedColumns } from '../parse/columns.js'
import type { PacketColumns } from './columns.js'
import type { BatchHead } from './head.js'
import { Loan, type Lender } from './loan.js'
import { StoredPacket, type OwnedPacket, type Packet } from './packet.js'

/**
 * A block of the ring on loan, or a run of a large block's packets (at most 2048). Everything made from it (buffer,
 * columns, packets' data) is empty after {@link release}. The kernel has a block back when all its batches have been
 * released and does not write into it before. It fills blocks in turn and does not pass one over: when it comes round to a
 * block that is on loan it stops, drops packets and counts them, however many others are free.
 *
 * Do not hand its Buffers to asynchronous I/O (`fs.write`, a socket) and release before that has finished: libuv reads
 * the memory later, whatever became of the view. `copy()` first.
 */
export interface Batch extends Iterable<Packet, undefined>, Disposable {
  /** Packet after packet. @throws NetringError ERR_NETRING_RELEASED */
  [Symbol.iterator](): IterableIterator<Packet, undefined>
  /** Packets; 0 after release. */
  readonly length: number
  /** Number of the batch: they are counted from 1. */
  readonly seqNum: number
  /** Its block was handed over by its timer, not because it was full. */
  readonly timedOut: boolean
  /** Packets have been dropped since the batch before. */
  readonly losing: boolean
  /** Of the first packet, nanoseconds since the epoch. */
  readonly firstTimestamp: bigint
  /** Of the last packet. */
  readonly lastTimestamp: bigint
  /** The packets' bytes, kernel headers between the packets; `columns.offset` points into it. */
  readonly buffer: Buffer
  /** The packets' fields as typed arrays, filled when first asked for: the fastest way through a batch. */
  readonly columns: PacketColumns
  /** Whether it was given back, by release() or by closing its source. */
  readonly released: boolean
  /**
   * Packet `index`, from the end where negative; undefined where there is none.
   * @throws NetringError ERR_NETRING_RELEASED
   */
  at(index: number): Packet | undefined
  /**
   * Owned copies of all packets, in one buffer together.
   * @throws NetringError ERR_NETRING_RELEASED
   */
  copy(): OwnedPacket[]
  /**
   * The headers of every packet, in one native call the first time: some 30 ns a packet. What is wrong with a packet is an
   * entry of the `error` column, never a throw.
   * @throws NetringError ERR_NETRING_RELEASED
   */
  parse(): ParsedColumns
  /** Gives the packets back to the kernel. Idempotent. */
  release(): void
}

/** A batch over a loan. */
export class LoanedBatch implements Batch {
  readonly seqNum: number
  readonly timedOut: boolean
  readonly losing: boolean
  // Not #private, as in Loan.
  private readonly loan: Loan
  private readonly count: number

  /** Of the batch that `head` tells of; `filled`: the columns that it came with. */
  constructor(lender: Lender, id: number, head: BatchHead, filled: number) {
    this.seqNum = head.seqNum
    this.timedOut = head.timedOut
    this.losing = head.losing
    this.count = head.length
    this.loan = new Loan(lender, id, this.count, filled)
  }

  get length(): number {
    return this.loan.length
  }
  get released(): boolean {
    return this.loan.gone
  }
  get columns(): PacketColumns {
    return this.loan.columns
  }
  get buffer(): Buffer {
    return this.loan.bytes
  }
  get firstTimestamp(): bigint {
    return new StoredPacket(this.loan, 0).timestamp
  }
  get lastTimestamp(): bigint {
    return new StoredPacket(this.loan, this.count - 1).timestamp
  }

  at(index: number): Packet | undefined {
    this.loan.check()
    const at = Math.trunc(index) || 0
    const from = at < 0 ? at + this.count : at
    return from >= 0 && from < this.count ? new StoredPacket(this.loan, from) : undefined
  }

  [Symbol.iterator](): IterableIterator<Packet, undefined> {
    this.loan.check()
    return new PacketIterator(this.loan, this.count)
  }

  copy(): OwnedPacket[] {
    this.loan.check()
    const store = this.loan.copyAll()
    return Array.from({ length: this.count }, (_, index) => new StoredPacket(store, index))
  }

  parse(): ParsedColumns {
    return this.loan.parse()
  }

  release(): void {
    this.loan.release()
  }
  [Symbol.dispose](): void {
    this.loan.release()
  }
}

/** By hand, because a generator costs 50 ns a packet. Ends, without an error, where the batch is released on the way. */
class PacketIterator implements IterableIterator<Packet, undefined> {
  readonly #loan: Loan
  readonly #length: number
  #index = 0

  constructor(loan: Loan, length: number) {
    this.#loan = loan
    this.#length = length
  }

  next(): IteratorResult<Packet, undefined> {
    if (this.#index >= this.#length || this.#loan.gone) return { done: true, value: undefined }
    return { done: false, value: new StoredPacket(this.#loan, this.#index++) }
  }

  [Symbol.iterator](): this {
    return this
  }
}

/** Owned copies of a batch's packets, which is released. */
export function copyAndRelease(batch: Batch): OwnedPacket[] {
  try {
    return batch.copy()
  } finally {
    batch.release()
  }
}

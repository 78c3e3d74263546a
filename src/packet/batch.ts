/** A batch: packets in one buffer, with columns, and a way to give them back. */
import type { ParsedColumns } from '../parse/columns.js'
import type { PacketColumns } from './columns.js'
import type { LinkType } from './link-type.js'
import type { OwnedPacket, Packet } from './packet.js'

/**
 * A block of the ring, or up to 2048 packets of a large block. Everything made from it (buffer, columns, packets' data) is
 * empty after {@link release}. The kernel gets a block back when all its batches have been released, and does not write into
 * it before. It fills blocks in turn and does not skip one: when it comes round to a block that is held, it stops, drops
 * packets and counts them, however many other blocks are free.
 *
 * Do not pass its Buffers to asynchronous I/O (`fs.write`, a socket) and release it before that has finished: libuv reads
 * the memory later, whatever has become of the view. `copy()` first.
 */
export interface Batch extends Iterable<Packet, undefined>, Disposable {
  /** Packet after packet. @throws NetringError ERR_NETRING_RELEASED */
  [Symbol.iterator](): IterableIterator<Packet, undefined>
  /** Packets; 0 after release. */
  readonly length: number
  /** Number of the batch: batches are counted from 1. */
  readonly seqNum: number
  /** Its block was handed over by its timer, not because it was full. */
  readonly timedOut: boolean
  /** Packets have been dropped since the batch before. */
  readonly losing: boolean
  /** Time of the first packet, nanoseconds since the epoch. */
  readonly firstTimestamp: bigint
  /** Time of the last packet. */
  readonly lastTimestamp: bigint
  /** The packets' bytes, kernel headers between the packets; `columns.offset` points into it. */
  readonly buffer: Buffer
  /** The packets' fields as typed arrays, filled when first asked for: the fastest way through a batch. */
  readonly columns: PacketColumns
  /** What every packet begins with. */
  readonly linkType: LinkType
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

/** Copies a batch's packets and releases it. */
export function copyAndRelease(batch: Batch): OwnedPacket[] {
  try {
    return batch.copy()
  } finally {
    batch.release()
  }
}

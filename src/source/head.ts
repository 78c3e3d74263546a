/** What the addon says of the batch that it has handed out last. */

/** The places and bits of `Head` in crates/netring-node/src/lending.rs. */
const place = { length: 0, flags: 1, sequenceLow: 2, sequenceHigh: 3 } as const
const flag = { timedOut: 1, losing: 2, more: 4 } as const

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1

/** A reader of the memory in which the addon describes a batch: read it before the next one is asked for. */
export class BatchHead {
  private readonly words: Uint32Array

  constructor(memory: ArrayBuffer) {
    this.words = new Uint32Array(memory)
  }

  get length(): number {
    return this.words[place.length] ?? 0
  }
  get seqNum(): number {
    const low = this.words[LITTLE_ENDIAN ? place.sequenceLow : place.sequenceHigh] ?? 0
    const high = this.words[LITTLE_ENDIAN ? place.sequenceHigh : place.sequenceLow] ?? 0
    return high * 2 ** 32 + low
  }
  get timedOut(): boolean {
    return this.has(flag.timedOut)
  }
  get losing(): boolean {
    return this.has(flag.losing)
  }
  /** The next batch comes from the same block of the ring and is there already. */
  get more(): boolean {
    return this.has(flag.more)
  }

  private has(bit: number): boolean {
    return ((this.words[place.flags] ?? 0) & bit) !== 0
  }
}

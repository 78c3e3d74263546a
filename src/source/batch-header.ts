/** What the addon says of the batch that it has handed out last. */
import { constants, numbers } from '../addon/constants.js'

/** Places of words and bits of the flags: `HeaderWords` in crates/netring-node/src/views.rs. */
const words = constants?.batchHeader
const { length, flags, sequence, timedOut, losing, more } = numbers(words && { ...words }, [
  'length',
  'flags',
  'sequence',
  'timedOut',
  'losing',
  'more',
])

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1
const SEQUENCE_LOW = LITTLE_ENDIAN ? sequence : sequence + 1
const SEQUENCE_HIGH = LITTLE_ENDIAN ? sequence + 1 : sequence

/** A reader of the memory in which the addon describes a batch: read it before the next one is asked for. */
export class BatchHeader {
  private readonly words: Uint32Array

  constructor(memory: ArrayBuffer) {
    this.words = new Uint32Array(memory)
  }

  get length(): number {
    return this.words[length] ?? 0
  }
  get seqNum(): number {
    return (this.words[SEQUENCE_HIGH] ?? 0) * 2 ** 32 + (this.words[SEQUENCE_LOW] ?? 0)
  }
  get timedOut(): boolean {
    return this.has(timedOut)
  }
  get losing(): boolean {
    return this.has(losing)
  }
  /** The next batch comes from the same block of the ring and is there already. */
  get more(): boolean {
    return this.has(more)
  }

  private has(bit: number): boolean {
    return ((this.words[flags] ?? 0) & bit) !== 0
  }
}

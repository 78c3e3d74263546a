/** A slot of the send ring on loan. */
import { fromNative, NetringError } from '../errors.js'
import { checkInteger } from '../options/check.js'
import { bufferOver, keeping } from '../source/buffer.js'
import { warnOnce } from '../warnings.js'
import type { NativeSink } from './native-sink.js'
import type { Slot } from './packet-sink.js'

/** What the slots of one sink share. */
export class SlotLender {
  readonly native: NativeSink
  /** What errors call the sink. */
  readonly name: string
  readonly frameCapacity: number
  closed: boolean = false
  /** Discards what the collector finds, by its number, and says so once. One registry each: nothing has to be allocated for a slot. */
  readonly forgotten: FinalizationRegistry<number>

  constructor(native: NativeSink, name: string, frameCapacity: number) {
    this.native = native
    this.name = name
    this.frameCapacity = frameCapacity
    this.forgotten = new FinalizationRegistry((slot) => {
      if (this.closed) return
      this.native.discard(slot)
      warnOnce(
        'NETRING_UNRELEASED_SLOT',
        'A slot was collected without send() or discard(); until then it was lost to the ring.',
        'Use `using slot = ...`, or call slot.discard() where the frame is not sent.',
      )
    })
  }
}

const none = Buffer.alloc(0)

export class LoanedSlot implements Slot {
  readonly #lender: SlotLender
  readonly #slot: number
  #length: number
  #data: Buffer | undefined
  #memory: ArrayBuffer | undefined
  #over = false

  constructor(lender: SlotLender, slot: number, length: number) {
    this.#lender = lender
    this.#slot = slot
    this.#length = length
    lender.forgotten.register(this, slot, this)
  }

  get data(): Buffer {
    if (this.#over || this.#lender.closed) return this.#data ?? none
    if (this.#data === undefined) {
      try {
        this.#memory ??= keeping(this.#lender.native.slotBytes(this.#slot), this)
      } catch (error) {
        throw fromNative(error)
      }
      this.#data = bufferOver(this.#memory, 0, this.#length)
    }
    return this.#data
  }

  setLength(length: number): void {
    this.#check()
    this.#length = checkInteger('length', length, 0, 0, this.#lender.frameCapacity)
    this.#data = undefined
  }

  send(): void {
    this.#check()
    try {
      this.#lender.native.queue(this.#slot, this.#length)
    } catch (error) {
      throw fromNative(error)
    }
    this.#end()
  }

  discard(): void {
    if (this.#over || this.#lender.closed) return
    this.#lender.native.discard(this.#slot)
    this.#end()
  }

  [Symbol.dispose](): void {
    this.discard()
  }

  #check(): void {
    const { closed, name } = this.#lender
    if (closed) throw new NetringError('ERR_NETRING_CLOSED', `the ${name} is closed; open another`)
    if (this.#over) {
      throw new NetringError('ERR_NETRING_RELEASED', 'the slot has been sent or discarded; allocate() another')
    }
  }

  #end(): void {
    this.#over = true
    this.#lender.forgotten.unregister(this)
  }
}

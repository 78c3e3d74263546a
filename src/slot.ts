/** A slot of the send ring on loan. */
import type { NativeInjector } from './binding.js'
import { fromNative, NetringError } from './errors.js'
import { checkInteger } from './options/check.js'
import type { Slot } from './sink.js'
import { bufferOver } from './source/buffer.js'

/** What the slots of one injector share. */
export interface SlotLender {
  readonly native: NativeInjector
  readonly closed: boolean
  readonly frameCapacity: number
}

interface Forgotten {
  readonly lender: SlotLender
  readonly slot: number
}

let warned = false

/** Discards what the collector finds, and says so once. */
const forgotten = new FinalizationRegistry<Forgotten>(({ lender, slot }) => {
  if (lender.closed) return
  lender.native.discard(slot)
  if (warned) return
  warned = true
  process.emitWarning('A slot was collected without send() or discard(); until then it was lost to the ring.', {
    type: 'NetringWarning',
    code: 'NETRING_UNRELEASED_SLOT',
    detail: 'Use `using slot = ...`, or call slot.discard() where the frame is not sent.',
  })
})

/** A Buffer in use keeps its slot. */
const owner = Symbol('netring.slot')
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
    forgotten.register(this, { lender, slot }, this)
  }

  get data(): Buffer {
    if (this.#over || this.#lender.closed) return this.#data ?? none
    if (this.#data === undefined) {
      try {
        this.#memory ??= Object.assign(this.#lender.native.bytes(this.#slot), { [owner]: this })
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
    if (this.#lender.closed) throw new NetringError('ERR_NETRING_CLOSED', 'the injector is closed; open another')
    if (this.#over) {
      throw new NetringError('ERR_NETRING_RELEASED', 'the slot has been sent or discarded; allocate() another')
    }
  }

  #end(): void {
    this.#over = true
    forgotten.unregister(this)
  }
}

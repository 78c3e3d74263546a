/** A slot of the send ring that JavaScript fills. */
import { checkInteger } from '../check/arguments.js'
import { fromNative } from '../errors/native.js'
import { NetringError } from '../errors/netring-error.js'
import { bufferOver, keeping } from '../memory/views.js'
import type { Slot } from './packet-sink.js'
import type { SinkState } from './sink-state.js'

const none = Buffer.alloc(0)

export class RingSlot implements Slot {
  readonly #sink: SinkState
  readonly #slot: number
  #length: number
  #data: Buffer | undefined
  #memory: ArrayBuffer | undefined
  #over = false

  constructor(sink: SinkState, slot: number, length: number) {
    this.#sink = sink
    this.#slot = slot
    this.#length = length
    sink.forgotten.register(this, slot, this)
  }

  get data(): Buffer {
    if (this.#over || this.#sink.closed) return this.#data ?? none
    if (this.#data === undefined) {
      try {
        this.#memory ??= keeping(this.#sink.native.slotBytes(this.#slot), this)
      } catch (error) {
        throw fromNative(error)
      }
      this.#data = bufferOver(this.#memory, 0, this.#length)
    }
    return this.#data
  }

  setLength(length: number): void {
    this.#check()
    this.#length = checkInteger('length', length, 0, 0, this.#sink.frameCapacity)
    this.#data = undefined
  }

  send(): void {
    this.#check()
    try {
      this.#sink.native.queue(this.#slot, this.#length)
    } catch (error) {
      throw fromNative(error)
    }
    this.#end()
  }

  discard(): void {
    if (this.#over || this.#sink.closed) return
    this.#sink.native.discard(this.#slot)
    this.#end()
  }

  [Symbol.dispose](): void {
    this.discard()
  }

  #check(): void {
    if (this.#sink.closed) throw this.#sink.closedError()
    if (this.#over) {
      throw new NetringError('ERR_NETRING_RELEASED', 'the slot has been sent or discarded; allocate() another')
    }
  }

  #end(): void {
    this.#over = true
    this.#sink.forgotten.unregister(this)
  }
}

/** The ring of a packet socket, and what can be set on the socket while it is open. */
import type { NativeCapture } from '../addon/binding.js'
import { native } from '../errors/native.js'
import { checkFilter, type Filter } from '../filter/filter.js'
import { checkProgram, type Program } from '../filter/program.js'

/** The geometry of a ring as the kernel granted it. */
export interface RingShape {
  /** Bytes a block. */
  readonly blockSize: number
  /** Blocks; fewer than asked for where memory was short. */
  readonly blockCount: number
  /** Bytes a frame, as the kernel was told. */
  readonly frameSize: number
  /** Whether it cannot be swapped out. */
  readonly locked: boolean
}

/** The native side of a packet socket. */
type NativeRingOwner = Pick<NativeCapture, 'ring' | 'setFilter' | 'setFanoutProgram'>

/** A packet socket with a ring: a capture's, or a channel's. */
export class PacketRing {
  readonly fd: number
  readonly fanoutId: number | undefined
  readonly shape: RingShape
  readonly #native: NativeRingOwner

  constructor(owner: NativeRingOwner) {
    const { fd, fanoutId, ...shape } = owner.ring()
    this.fd = fd
    this.fanoutId = fanoutId
    this.shape = Object.freeze(shape)
    this.#native = owner
  }

  /** `checkOpen` throws where the ring is not to be changed any more. */
  setFilter(filter: Filter, checkOpen?: () => void): void {
    const checked = checkFilter('filter', filter)
    checkOpen?.()
    native(() => {
      this.#native.setFilter(checked)
    })
  }

  detachFilter(): void {
    native(() => {
      this.#native.setFilter()
    })
  }

  attachFanoutProgram(program: Program, checkOpen?: () => void): void {
    const checked = checkProgram('program', program)
    checkOpen?.()
    native(() => {
      this.#native.setFanoutProgram(checked)
    })
  }
}

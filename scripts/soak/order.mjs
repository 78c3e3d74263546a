/** Numbered frames of some lengths, and that they come in order. */
import { frame, frameFault, numberOf, upTo } from '../../testkit/frames.mjs'

const LENGTHS = [60, 61, 300, 1514]

const lengthOf = (number) => LENGTHS[number % LENGTHS.length]

/** `count` of them, with numbers from `from` on. */
export const framesFrom = (from, count) => upTo(count).map((index) => frame(lengthOf(from + index), from + index))

/** Takes packets as they come and throws at one that is out of order, or holds other bytes than its number says. */
export class Order {
  seen = 0
  #next = 0

  /** Packets before this one may have been dropped; none comes twice or late. */
  take(bytes) {
    const number = numberOf(bytes)
    if (number < this.#next) throw new Error(`packet ${number} after ${this.#next - 1}`)
    const fault = frameFault(bytes, lengthOf(number), number)
    if (fault !== undefined) throw new Error(fault)
    this.#next = number + 1
    this.seen += 1
  }
}

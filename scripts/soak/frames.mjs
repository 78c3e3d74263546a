/** Frames that say which they are: a number behind the Ethernet header, and a body that follows from it. */
const LENGTHS = [60, 61, 300, 1514]
const HEADER = Buffer.from('ffffffffffff02000000000188b5', 'hex')
const NUMBER = HEADER.length

export function frame(number) {
  const bytes = Buffer.alloc(LENGTHS[number % LENGTHS.length], number & 0xff)
  HEADER.copy(bytes)
  bytes.writeUInt32BE(number, NUMBER)
  return bytes
}

/** Takes packets as they come and throws at one that is out of order, or holds other bytes than its number says. */
export class Order {
  seen = 0
  #next = 0

  /** Packets before this one may have been dropped; none comes twice or late. */
  take(bytes) {
    const number = bytes.readUInt32BE(NUMBER)
    if (number < this.#next) throw new Error(`packet ${number} after ${this.#next - 1}`)
    const length = LENGTHS[number % LENGTHS.length]
    const filled = number & 0xff
    const [first, last] = [bytes[NUMBER + 4], bytes[length - 1]]
    if (bytes.length !== length || first !== filled || last !== filled) {
      throw new Error(
        `packet ${number}: ${bytes.length} bytes, ${first} … ${last}, not ${length}, ${filled} … ${filled}`,
      )
    }
    this.#next = number + 1
    this.seen += 1
  }
}

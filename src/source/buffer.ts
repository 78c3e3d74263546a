/** Buffers over the memory of batches and slots. */
import { NetringError } from '../errors.js'

/**
 * Node's own Buffer class for views. `Buffer.from(arrayBuffer, offset, length)` and `subarray()` end in this constructor
 * after checks that cost more than it does; the species is its only public name.
 */
const FastBuffer = (Buffer as unknown as Record<symbol, unknown>)[Symbol.species] as new (
  memory: ArrayBufferLike,
  offset: number,
  length: number,
) => Buffer

/**
 * A Buffer over part of an ArrayBuffer.
 * @throws NetringError ERR_NETRING_RELEASED where JavaScript has moved the memory away (`transfer()`, postMessage) or
 * overwritten the columns that say where in it a packet lies
 */
export function bufferOver(memory: ArrayBufferLike, offset: number, length: number): Buffer {
  // Small, so that V8 inlines it into loops over packets: what is rare has a function of its own.
  try {
    return new FastBuffer(memory, offset, length)
  } catch {
    refuse(memory, offset, length)
  }
}

function refuse(memory: ArrayBufferLike, offset: number, length: number): never {
  if (memory.byteLength === 0 || offset < 0) moved()
  overwritten(`they place a packet at ${String(offset)}, ${String(length)} of ${String(memory.byteLength)} bytes long`)
}

/** For memory that is not where it was. @throws NetringError ERR_NETRING_RELEASED */
export function moved(): never {
  throw new NetringError(
    'ERR_NETRING_RELEASED',
    'the memory of this batch or slot has been transferred away; copy() what must live elsewhere',
  )
}

/** For columns that cannot be true. @throws NetringError ERR_NETRING_RELEASED */
export function overwritten(what: string): never {
  throw new NetringError(
    'ERR_NETRING_RELEASED',
    `the columns of this batch have been overwritten: ${what}; do not write into columns`,
  )
}

const keeper: unique symbol = Symbol('netring.keeper')

/** An ArrayBuffer that keeps the loan it shows from being collected, for as long as a Buffer over it is in use. */
export function keeping(memory: ArrayBuffer & { [keeper]?: object }, loan: object): ArrayBuffer {
  memory[keeper] = loan
  return memory
}

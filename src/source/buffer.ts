/**
 * Node's own Buffer class for views. `Buffer.from(arrayBuffer, offset, length)` and `subarray()` end in this constructor
 * after checks that cost more than it does; the species is its only public name.
 */
const FastBuffer = (Buffer as unknown as Record<symbol, unknown>)[Symbol.species] as new (
  memory: ArrayBufferLike,
  offset: number,
  length: number,
) => Buffer

/** A Buffer over part of an ArrayBuffer. */
export function bufferOver(memory: ArrayBufferLike, offset: number, length: number): Buffer {
  return new FastBuffer(memory, offset, length)
}

const keeper: unique symbol = Symbol('netring.keeper')

/** An ArrayBuffer that keeps the loan it shows from being collected, for as long as a Buffer over it is in use. */
export function keeping(memory: ArrayBuffer & { [keeper]?: object }, loan: object): ArrayBuffer {
  memory[keeper] = loan
  return memory
}

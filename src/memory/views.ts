/** Buffers over the memory of batches and slots. */
import { NetringError } from '../errors/netring-error.js'

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
 * A Buffer over an ArrayBuffer from an offset on.
 * @throws NetringError ERR_NETRING_RELEASED where JavaScript has moved the memory away (`transfer()`, postMessage)
 */
export function bufferOver(memory: ArrayBufferLike, offset: number, length: number): Buffer {
  if (memory.byteLength === 0) moved()
  return new FastBuffer(memory, offset, length)
}

/** Bytes of several packets in one piece of memory. */
export interface PacketBytes {
  readonly memory: ArrayBufferLike
  /** The byte of it where they begin. */
  readonly start: number
  /** All of them: empty once they are gone or the memory has been moved away. */
  readonly buffer: Uint8Array
  /** @throws NetringError ERR_NETRING_RELEASED once the bytes are gone */
  check(): void
}

/**
 * A Buffer over the bytes of one packet; `at` counts from the first byte of all. It compares lengths and catches nothing: a
 * `try` here costs 9 ns a packet.
 * @throws NetringError ERR_NETRING_RELEASED once the bytes are gone, or where JavaScript has moved the memory away, or has
 * overwritten or moved the columns that say where the packet lies
 */
export function packetOver(of: PacketBytes, at: number | undefined, length: number | undefined): Buffer {
  if (at === undefined || length === undefined || at + length > of.buffer.length) refuse(of, at, length)
  return new FastBuffer(of.memory, of.start + at, length)
}

function refuse(of: PacketBytes, at: number | undefined, length: number | undefined): never {
  of.check()
  const { buffer } = of
  if (buffer.length === 0 || at === undefined) moved()
  overwritten(`they place a packet at ${String(at)}, ${String(length)} of ${String(buffer.length)} bytes long`)
}

/** Memory is not where it was. @throws NetringError ERR_NETRING_RELEASED */
export function moved(): never {
  throw new NetringError(
    'ERR_NETRING_RELEASED',
    'the memory of this batch or slot has been transferred away; copy() what must live elsewhere',
  )
}

/** Columns cannot be true. @throws NetringError ERR_NETRING_RELEASED */
export function overwritten(what: string): never {
  throw new NetringError(
    'ERR_NETRING_RELEASED',
    `the columns of this batch have been overwritten: ${what}; do not write into columns`,
  )
}

const keeper: unique symbol = Symbol('netring.keeper')

/** An ArrayBuffer that keeps its batch or slot from being collected, for as long as a Buffer over it is in use. */
export function keeping(memory: ArrayBuffer & { [keeper]?: object }, owner: object): ArrayBuffer {
  memory[keeper] = owner
  return memory
}

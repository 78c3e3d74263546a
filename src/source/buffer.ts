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
 * A Buffer over an ArrayBuffer from an offset on.
 * @throws NetringError ERR_NETRING_RELEASED where JavaScript has moved the memory away (`transfer()`, postMessage)
 */
export function bufferOver(memory: ArrayBufferLike, offset: number, length: number): Buffer {
  if (memory.byteLength === 0) moved()
  return new FastBuffer(memory, offset, length)
}

/** Bytes of several packets. */
export interface PacketBytes {
  readonly memory: ArrayBufferLike
  /** Where in it they begin. */
  readonly start: number
  /** All of them: empty once they are gone or the memory has been moved away. */
  readonly bytes: Uint8Array
  /** @throws NetringError ERR_NETRING_RELEASED once the bytes are gone */
  check(): void
}

/**
 * A Buffer over the bytes of one packet, which `at` counts from the first of all. Compared instead of caught: a `try` here costs
 * 9 ns a packet.
 * @throws NetringError ERR_NETRING_RELEASED once they are gone, or where JavaScript has moved the memory away, or overwritten or
 * moved the columns that say where the packet lies
 */
export function packetOver(of: PacketBytes, at: number | undefined, length: number | undefined): Buffer {
  if (at === undefined || length === undefined || at + length > of.bytes.length) refuse(of, at, length)
  return new FastBuffer(of.memory, of.start + at, length)
}

function refuse(of: PacketBytes, at: number | undefined, length: number | undefined): never {
  of.check()
  const { bytes } = of
  if (bytes.length === 0 || at === undefined) moved()
  overwritten(`they place a packet at ${String(at)}, ${String(length)} of ${String(bytes.length)} bytes long`)
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

/** Checks of the frames that are sent together. */
import { types } from 'node:util'
import { checkBytes, checkInteger, wrongType } from '../check/arguments.js'

/**
 * The first `most` frames, in an array of our own: the caller's may be a Proxy, have getters that change what was checked,
 * or be changed while frames of it wait.
 */
export function checkFrames(frames: readonly unknown[], most: number): Uint8Array[] {
  const checked: Uint8Array[] = []
  const many = Math.min(frames.length, most)
  for (let index = 0; index < many; index++) {
    const frame = frames[index]
    checked.push(types.isUint8Array(frame) ? frame : checkBytes(`frames[${String(index)}]`, frame))
  }
  return checked
}

/** The first `most` lengths. */
export function checkLengths(lengths: Uint32Array | readonly number[] | undefined, most: number): Uint32Array {
  // Of a detached array the length is 0, and subarray() would throw.
  if (types.isUint32Array(lengths)) return lengths.length === 0 ? new Uint32Array(0) : lengths.subarray(0, most)
  if (!Array.isArray(lengths)) throw wrongType('lengths', 'a Uint32Array or an array of numbers', lengths)
  const checked = new Uint32Array(Math.min(lengths.length, most))
  for (let index = 0; index < checked.length; index++) {
    const length: unknown = lengths[index]
    const name = `lengths[${String(index)}]`
    if (length === undefined) throw wrongType(name, 'a number', length)
    checked[index] = checkInteger(name, length, 0)
  }
  return checked
}

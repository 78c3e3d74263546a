/** Checks of arguments, by name and before any system call, with the codes that Node itself uses. */
import { inspect, types } from 'node:util'
import { NetringError } from '../errors/netring-error.js'

type ArgumentCode = 'ERR_INVALID_ARG_TYPE' | 'ERR_INVALID_ARG_VALUE' | 'ERR_OUT_OF_RANGE' | 'ERR_ILLEGAL_CONSTRUCTOR'

function argumentError(kind: typeof TypeError | typeof RangeError, code: ArgumentCode, message: string): Error {
  const error = new kind(message)
  Error.captureStackTrace(error, argumentError)
  return Object.assign(error, { code })
}

/** The error for a value of the wrong type. */
export function wrongType(name: string, expected: string, value: unknown): Error {
  const received = value === null || value === undefined ? String(value) : `${typeof value} ${show(value)}`
  return argumentError(TypeError, 'ERR_INVALID_ARG_TYPE', `${name} must be ${expected}. Received ${received}`)
}

/** The error for a value that is of the right type and still wrong. */
export function wrongValue(name: string, reason: string, value: unknown): Error {
  return argumentError(TypeError, 'ERR_INVALID_ARG_VALUE', `${name} ${reason}. Received ${show(value)}`)
}

/** What a private constructor was given, if it was our own open() that called it. */
export function constructing<T extends object>(
  name: string,
  type: abstract new (...args: never[]) => T,
  value: T,
  how: string = 'open',
): T {
  if (value instanceof type) return value
  throw argumentError(TypeError, 'ERR_ILLEGAL_CONSTRUCTOR', `${name} has no public constructor: call ${name}.${how}()`)
}

/** The error for what is right by itself and does not go with the rest. */
export function refusal(message: string): NetringError {
  return new NetringError('ERR_NETRING_CONFIG', message)
}

function show(value: unknown): string {
  let text
  try {
    text = inspect(value, { depth: 0, breakLength: Infinity })
  } catch {
    text = Object.prototype.toString.call(value)
  }
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/** An options object with none but these keys. */
export function checkObject<T extends object>(name: string, value: T | undefined, keys: readonly string[]): Partial<T> {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongType(name, 'an object', value)
  for (const key of Object.keys(value)) {
    if (!keys.includes(key)) {
      throw argumentError(
        TypeError,
        'ERR_INVALID_ARG_VALUE',
        `${name}.${key} is not an option. Options are ${keys.join(', ')}`,
      )
    }
  }
  return value
}

/** A number from `least` to `most`, or the default. */
export function checkInteger(name: string, value: unknown, fallback: number, least = 0, most = 0xffff_ffff): number {
  if (value === undefined) return fallback
  if (typeof value !== 'number') throw wrongType(name, 'a number', value)
  if (!Number.isInteger(value) || value < least || value > most) {
    throw argumentError(
      RangeError,
      'ERR_OUT_OF_RANGE',
      `${name} must be an integer from ${String(least)} to ${String(most)}. Received ${String(value)}`,
    )
  }
  return value
}

/** A time in milliseconds, fractions and Infinity allowed. */
export function checkMilliseconds(name: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback
  if (typeof value !== 'number') throw wrongType(name, 'a number', value)
  if (!(value >= 0)) {
    throw argumentError(RangeError, 'ERR_OUT_OF_RANGE', `${name} must not be negative. Received ${String(value)}`)
  }
  return value
}

/** A boolean, or the default. */
export function checkBoolean(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback
  if (typeof value !== 'boolean') throw wrongType(name, 'a boolean', value)
  return value
}

/** One of some strings, or the default. */
export function checkOneOf<T extends string>(name: string, value: unknown, choices: readonly T[], fallback: T): T {
  if (value === undefined) return fallback
  if (typeof value !== 'string') throw wrongType(name, 'a string', value)
  if (!choices.includes(value as T)) {
    throw wrongValue(name, `must be one of ${choices.map((choice) => `'${choice}'`).join(', ')}`, value)
  }
  return value as T
}

/** A string that is not empty. */
export function checkString(name: string, value: unknown): string {
  if (typeof value !== 'string') throw wrongType(name, 'a string', value)
  if (value === '' || value.includes('\0')) throw wrongValue(name, 'must not be empty or contain NUL', value)
  return value
}

/** A file descriptor. */
export function checkFd(name: string, value: unknown): number {
  if (value === undefined) throw wrongType(name, 'a number', value)
  return checkInteger(name, value, 0, 0, 0x7fff_ffff)
}

/** Bytes. */
export function checkBytes(name: string, value: unknown): Uint8Array {
  // By what it is, not by its prototype: the addon takes its memory.
  if (!types.isUint8Array(value)) throw wrongType(name, 'a Buffer or Uint8Array', value)
  return value
}

/** An AbortSignal, or none. */
export function checkSignal(name: string, value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined
  // By what is used of it: in a vm context, or from jsdom, it is of another class.
  const { aborted, addEventListener, removeEventListener, throwIfAborted } = (value ?? {}) as Partial<AbortSignal>
  const used = [addEventListener, removeEventListener, throwIfAborted]
  if (typeof aborted !== 'boolean' || !used.every((one) => typeof one === 'function'))
    throw wrongType(name, 'an AbortSignal', value)
  return value as AbortSignal
}

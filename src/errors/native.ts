/** Errors of the addon as JavaScript's. */
import { constants } from '../addon/constants.js'
import { advise } from './advice.js'
import { NetringError, type NetringErrorCode } from './netring-error.js'

/** Between the fields of a native error's text. */
const SEPARATOR = constants?.errorSeparator

/** Makes a NetringError of the text that the addon throws; undefined for any other text. */
export function parseNative(text: string): NetringError | undefined {
  if (SEPARATOR === undefined) return undefined
  const [code, syscall, errno, option, interfaceName, needs, message] = text.split(SEPARATOR)
  if (message === undefined) return undefined
  return new NetringError(code as NetringErrorCode, advise(message, needs), {
    ...(syscall && { syscall }),
    ...(errno && { errno: Number(errno) }),
    ...(option && { option }),
    ...(interfaceName && { interface: interfaceName }),
  })
}

/** What to throw for something the addon threw. */
export function fromNative(error: unknown): unknown {
  // The error is of another realm's class where netring is in a vm context, as test runners load it.
  const { message } = (error ?? {}) as { readonly message?: unknown }
  const parsed = typeof message === 'string' ? parseNative(message) : undefined
  if (parsed === undefined) return error
  Error.captureStackTrace(parsed, fromNative)
  return parsed
}

/** Calls into the addon; for paths where a closure does not matter. */
export function native<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw fromNative(error)
  }
}

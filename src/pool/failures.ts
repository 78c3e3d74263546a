/** Errors on their way from one thread to another: a structured clone keeps neither class nor code. */
import { inspect, types } from 'node:util'
import { NetringError, type NetringErrorCode, type NetringErrorDetails } from '../errors/netring-error.js'

/** What a clone loses, beside the clone. */
export interface PackedError {
  readonly error: Error
  readonly name: string
  readonly code?: unknown
  readonly details: NetringErrorDetails
}

/** What can be sent. Something thrown that is no Error becomes the cause of one. */
export function packError(thrown: unknown): PackedError {
  const error = isError(thrown)
    ? asThrown(thrown)
    : new Error(`the worker's module threw ${inspect(thrown, { depth: 1 })}`, { cause: thrown })
  const {
    code,
    syscall,
    errno,
    option,
    interface: interfaceName,
  } = error as Error & { code?: unknown } & NetringErrorDetails
  return {
    error: cloneable(error),
    name: error.name,
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    details: {
      ...(typeof syscall === 'string' && { syscall }),
      ...(typeof errno === 'number' && { errno }),
      ...(typeof option === 'string' && { option }),
      ...(typeof interfaceName === 'string' && { interface: interfaceName }),
    },
  }
}

/** Of this realm's class or another's: in a vm context they are not the same. */
function isError(thrown: unknown): thrown is Error {
  return thrown instanceof Error || types.isNativeError(thrown)
}

/** A cause may be something that cannot be sent. */
function cloneable(error: Error): Error {
  try {
    structuredClone(error)
    return error
  } catch {
    const plain = new Error(error.message)
    if (error.stack !== undefined) plain.stack = error.stack
    return plain
  }
}

/** The error again. */
export function unpackError({ error, name, code, details }: PackedError): Error {
  if (isNetringCode(code)) return asNetringError(error, code, details)
  if (error.name !== name) Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
  return Object.assign(error, code !== undefined && { code }, details)
}

const builtIn: readonly unknown[] = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]

/**
 * An error that Node itself has carried here, with the class and all of its properties, but as a plain object with an
 * error's prototype, which some checks do not take for an error.
 */
export function asThrown(error: unknown): Error {
  if (!isError(error)) return new Error(`a worker threw ${inspect(error, { depth: 1 })}`, { cause: error })
  const { code } = error as { code?: unknown }
  if (isNetringCode(code) && !(error instanceof NetringError)) {
    return asNetringError(error, code, error)
  }
  const isOne: boolean = types.isNativeError(error)
  if (isOne) return error
  const Kind = (builtIn.includes(error.constructor) ? error.constructor : Error) as ErrorConstructor
  return Object.defineProperties(new Kind(error.message), Object.getOwnPropertyDescriptors(error))
}

function isNetringCode(code: unknown): code is NetringErrorCode {
  return typeof code === 'string' && code.startsWith('ERR_NETRING_')
}

function asNetringError(error: Error, code: NetringErrorCode, details: NetringErrorDetails): NetringError {
  const made = new NetringError(code, error.message, details)
  if (error.stack !== undefined) made.stack = error.stack
  if (error.cause !== undefined) made.cause = error.cause
  return made
}

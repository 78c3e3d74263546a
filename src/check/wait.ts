/** Options of whatever waits. */
import { checkObject, checkSignal } from './arguments.js'

/** What can end a wait. */
export interface WaitOptions {
  /** Aborting rejects with `signal.reason`. */
  readonly signal?: AbortSignal
}

/** The signal that ends a wait. */
export function waitSignal(options: WaitOptions | undefined): AbortSignal | undefined {
  return checkSignal('options.signal', checkObject('options', options, ['signal']).signal)
}

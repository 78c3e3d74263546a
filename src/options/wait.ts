/** Options of whatever waits. */
import type { WaitOptions } from '../source/packet-source.js'
import { checkObject, checkSignal } from './check.js'

/** The signal that ends a wait. */
export function waitSignal(options: WaitOptions | undefined): AbortSignal | undefined {
  return checkSignal('options.signal', checkObject('options', options, ['signal']).signal)
}

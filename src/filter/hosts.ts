/** Addresses of the host names in a filter. */
import type { NativeHost } from '../addon/binding.js'
import { NetringError } from '../errors/netring-error.js'

/**
 * Looks all of them up, at once. A look-up that is under way when the signal is aborted goes on and is not heard.
 * @throws NetringError ERR_NETRING_FILTER; `signal.reason`
 */
export async function lookUp(names: readonly string[], signal: AbortSignal | undefined): Promise<NativeHost[]> {
  // Not before somebody asks: most filters have no names.
  const { lookup } = await import('node:dns/promises')
  const all = Promise.all(
    names.map(async (name) => {
      try {
        const found = await lookup(name, { all: true })
        return { name, addresses: [...new Set(found.map(({ address }) => address))].sort() }
      } catch (cause) {
        const { code } = cause as { readonly code?: string }
        throw new NetringError(
          'ERR_NETRING_FILTER',
          `the host name ${JSON.stringify(name)} has no address: ${String(code)}`,
          {
            cause,
          },
        )
      }
    }),
  )
  return orAborted(all, signal)
}

async function orAborted<T>(outcome: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return outcome
  let abort: (() => void) | undefined
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => {
      reject(signal.reason as Error)
    }
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
  })
  try {
    return await Promise.race([outcome, aborted])
  } finally {
    if (abort !== undefined) signal.removeEventListener('abort', abort)
  }
}

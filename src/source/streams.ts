/** A source as a web stream and as a node:stream. */
import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { nextTurn } from '../async/event-loop.js'
import { checkInteger, checkObject, checkSignal } from '../check/arguments.js'
import { hasCode } from '../errors/netring-error.js'
import { copyAndRelease, type Batch } from '../packet/batch.js'
import type { PacketSource } from './packet-source.js'

/** Fetches nothing ahead: a batch that waited in the stream would never be released. */
export function batchStream(source: PacketSource, signal: AbortSignal | undefined): ReadableStream<Batch> {
  const over = new AbortController()
  let abort: (() => void) | undefined
  const end = (): void => {
    over.abort()
    if (abort !== undefined) signal?.removeEventListener('abort', abort)
  }
  return new ReadableStream<Batch>(
    {
      start(controller) {
        abort = () => {
          over.abort()
          controller.error(signal?.reason)
        }
        if (signal?.aborted) abort()
        else signal?.addEventListener('abort', abort, { once: true })
      },
      async pull(controller) {
        const given = await withNextBatch(source, over.signal, (batch) => {
          controller.enqueue(batch)
          return true
        })
        if (given !== undefined || over.signal.aborted) return
        controller.close()
        end()
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  )
}

/**
 * Waits for a batch and passes it to `use` at once: the stream cannot end between taking a batch and using it.
 * Undefined once the source is closed or the signal aborted, and then no batch was taken.
 */
async function withNextBatch<T>(
  source: PacketSource,
  signal: AbortSignal,
  use: (batch: Batch) => T,
): Promise<T | undefined> {
  // A reader in a loop over a busy ring must not starve timers.
  await nextTurn()
  while (!source.closed && !signal.aborted) {
    const batch = source.nextBatch()
    if (batch !== undefined) return use(batch)
    if (!(await waited(source, signal))) break
  }
  return undefined
}

/** Waits through a link that is down; false when the source was closed or the wait aborted. */
async function waited(source: PacketSource, signal: AbortSignal): Promise<boolean> {
  try {
    await source.readable({ signal })
    return true
  } catch (error) {
    if (signal.aborted || hasCode(error, 'ERR_NETRING_CLOSED')) return false
    if (hasCode(error, 'ERR_NETRING_LINK_DOWN')) return true
    throw error
  }
}

/**
 * Not Readable.from() of a generator: destroyed while that waits for a batch, it would go on waiting, keep the process
 * alive, and take one more batch that is lost.
 */
export function ownedPacketStream(
  source: PacketSource,
  options?: { readonly signal?: AbortSignal; readonly highWaterMark?: number },
): Readable {
  const given = checkObject('options', options, ['signal', 'highWaterMark'])
  const signal = checkSignal('options.signal', given.signal)
  const over = new AbortController()
  const stream = new Readable({
    objectMode: true,
    highWaterMark: checkInteger('options.highWaterMark', given.highWaterMark, 16),
    ...(signal && { signal }),
    read() {
      withNextBatch(source, over.signal, copyAndRelease).then(
        (packets) => {
          if (over.signal.aborted) return
          if (packets === undefined) stream.push(null)
          else for (const packet of packets) stream.push(packet)
        },
        (error: unknown) => stream.destroy(error as Error),
      )
    },
    destroy(error, done) {
      over.abort()
      done(error)
    },
  })
  return stream
}

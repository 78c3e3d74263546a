/** A source as a web stream and as a node:stream. */
import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { hasCode } from '../errors.js'
import { checkInteger, checkObject, checkSignal } from '../options/check.js'
import type { Batch } from './batch.js'
import type { OwnedPacket } from './packet.js'
import type { PacketSource } from './packet-source.js'

/** Nothing is fetched ahead, so no batch waits in the stream where nobody would release it. */
export function batchStream(source: PacketSource): ReadableStream<Batch> {
  const over = new AbortController()
  return new ReadableStream<Batch>(
    {
      async pull(controller) {
        for (;;) {
          const batch = source.closed ? undefined : source.nextBatch()
          if (batch !== undefined) {
            controller.enqueue(batch)
            return
          }
          if (!(await waited(source, over.signal))) {
            if (!over.signal.aborted) controller.close()
            return
          }
        }
      },
      cancel() {
        over.abort()
      },
    },
    { highWaterMark: 0 },
  )
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

export function ownedPacketStream(
  source: PacketSource,
  options?: { readonly signal?: AbortSignal; readonly highWaterMark?: number },
): Readable {
  const given = checkObject('options', options, ['signal', 'highWaterMark'])
  const signal = checkSignal('options.signal', given.signal)
  return Readable.from(ownedPackets(source), {
    objectMode: true,
    highWaterMark: checkInteger('options.highWaterMark', given.highWaterMark, 16),
    ...(signal && { signal }),
  })
}

async function* ownedPackets(source: PacketSource): AsyncGenerator<OwnedPacket, void, undefined> {
  for await (const batch of source) {
    const packets = batch.copy()
    batch.release()
    yield* packets
  }
}

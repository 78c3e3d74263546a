/** gzip, told by what a stream begins with. */
import { pipeline, Readable } from 'node:stream'
import { constants, createGunzip } from 'node:zlib'
import { checkBytes } from '../check/arguments.js'

/** Whether bytes are the beginning of a gzip file, RFC 1952. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b
}

/** The chunks, through node:zlib where they begin as a gzip file does. */
export async function decompressed(chunks: AsyncIterator<unknown>): Promise<AsyncIterator<unknown>> {
  let head = Buffer.alloc(0)
  while (head.length < 2) {
    const { done, value } = (await chunks.next()) as IteratorResult<unknown, unknown>
    if (done === true) break
    head = Buffer.concat([head, checkBytes('a chunk of the stream', value)])
  }
  const all = behind(head, chunks)
  if (!isGzip(head)) return all
  // A file that was cut gives what is in it: without this its end would be an error.
  const gunzip = createGunzip({ finishFlush: constants.Z_SYNC_FLUSH, chunkSize: 256 * 1024 })
  // Either stream's failure ends the other, and so reaches whoever reads.
  const stream = pipeline(Readable.from({ [Symbol.asyncIterator]: () => all }), gunzip, () => undefined)
  return stream[Symbol.asyncIterator]()
}

/** What was looked at, then the rest. */
function behind(head: Uint8Array, rest: AsyncIterator<unknown>): AsyncIterator<unknown> {
  let given = head.length === 0
  return {
    next: () => {
      if (given) return rest.next()
      given = true
      return Promise.resolve({ done: false, value: head })
    },
    return: async () => (await rest.return?.()) ?? { done: true, value: undefined },
  }
}

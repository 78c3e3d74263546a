/** gzip, told by what a stream begins with. */
import { pipeline, Readable } from 'node:stream'
import { constants, createGunzip } from 'node:zlib'
import { checkBytes } from '../check/arguments.js'

/** Whether bytes are the beginning of a gzip file, RFC 1952. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b
}

/** The stream, through node:zlib where it begins as a gzip file does. */
export async function decompressed(stream: Readable): Promise<Readable> {
  const [head, ended] = await beginning(stream)
  if (ended) return Readable.from(head.length > 0 ? [head] : [])
  if (!isGzip(head)) return stream
  // A file that was cut gives what is in it: without this it would be an error at the end.
  const gunzip = createGunzip({ finishFlush: constants.Z_SYNC_FLUSH, chunkSize: 256 * 1024 })
  // Either stream's failure ends the other, and so reaches whoever reads.
  return pipeline(stream, gunzip, () => undefined)
}

/** The first two bytes or more, which stay in the stream; or all, and that it is at its end. */
function beginning(stream: Readable): Promise<[head: Uint8Array, ended: boolean]> {
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0)
    const leave = (): void => {
      stream.off('readable', look).off('end', end).off('error', fail).off('close', end)
    }
    const look = (): void => {
      try {
        for (let chunk: unknown = stream.read(); chunk !== null; chunk = stream.read()) {
          head = Buffer.concat([head, checkBytes('a chunk of the stream', chunk)])
          if (head.length < 2) continue
          leave()
          stream.unshift(head)
          resolve([head, false])
          return
        }
      } catch (error) {
        fail(error)
      }
    }
    const end = (): void => {
      leave()
      resolve([head, true])
    }
    const fail = (error: unknown): void => {
      leave()
      reject(error as Error)
    }
    stream.on('readable', look).on('end', end).on('error', fail).on('close', end)
    if (stream.errored) fail(stream.errored)
    else if (stream.destroyed || stream.readableEnded) end()
  })
}

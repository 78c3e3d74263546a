/** Bytes of a stream on their way into the addon: one chunk whenever somebody waits for packets. */
import { Readable } from 'node:stream'
import type { NativeFile } from '../addon/binding.js'
import { checkBytes } from '../check/arguments.js'
import { native } from '../errors/native.js'
import { NetringError } from '../errors/netring-error.js'
import { decompressed } from './decompressed.js'

export class Feeder {
  readonly #file: NativeFile
  readonly #bytes: AsyncIterable<Uint8Array> | Readable
  #chunks: AsyncIterator<unknown> | undefined
  #pulling = false
  #closed = false
  /** Why no more bytes come. */
  failure: NetringError | undefined

  constructor(file: NativeFile, bytes: AsyncIterable<Uint8Array> | Readable) {
    this.#file = file
    this.#bytes = bytes
  }

  /** Fetches the next chunk, unless that is under way, and calls `fed` when it is in the addon or none comes any more. */
  pull(fed: () => void): void {
    if (this.#pulling || this.failure !== undefined) return
    this.#pulling = true
    this.#next()
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error)
        this.failure ??= new NetringError('ERR_NETRING_IO', `the stream of the capture file failed: ${reason}`, {
          cause: error,
        })
      })
      .finally(() => {
        this.#pulling = false
        if (!this.#closed) fed()
      })
  }

  async #next(): Promise<void> {
    this.#chunks ??= await decompressed(this.#bytes[Symbol.asyncIterator]())
    const { done, value } = (await this.#chunks.next()) as IteratorResult<unknown, unknown>
    if (this.#closed) return
    native(() => {
      if (done === true) this.#file.finish()
      else this.#file.feed(checkBytes('a chunk of the stream', value))
    })
  }

  /** Ends the stream. */
  close(): void {
    this.#closed = true
    // An iterator that waits for its next chunk would end behind it only.
    if (this.#bytes instanceof Readable) this.#bytes.destroy()
    // What it still has is not wanted, and neither is why it cannot end.
    this.#chunks?.return?.().catch(() => undefined)
  }
}

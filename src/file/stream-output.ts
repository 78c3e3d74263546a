/** A stream that records go to. */
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { rejected } from '../async/sequence.js'
import { NetringError } from '../errors/netring-error.js'

export class StreamOutput {
  readonly #stream: Writable
  #failure: NetringError | undefined

  constructor(stream: Writable) {
    this.#stream = stream
    // Whoever writes, waits or closes is told.
    stream.on('error', (error) => {
      this.#fail(error)
    })
  }

  #fail(error: Error & { readonly errno?: number; readonly syscall?: string }): NetringError {
    return (this.#failure ??= new NetringError('ERR_NETRING_IO', `cannot write the stream: ${error.message}`, {
      cause: error,
      ...(error.errno !== undefined && { errno: Math.abs(error.errno) }),
      ...(error.syscall !== undefined && { syscall: error.syscall }),
    }))
  }

  /** False where the stream's buffer is full. */
  write(records: Uint8Array): boolean {
    if (this.#failure !== undefined) throw this.#failure
    return records.length === 0 ? !this.#stream.writableNeedDrain : this.#stream.write(records)
  }

  /** Resolves once the stream has written all that it was given. */
  drained(signal: AbortSignal | undefined): Promise<void> {
    const failure = this.#failure
    if (failure !== undefined) return rejected(failure)
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        reject(signal?.reason as Error)
      }
      if (signal?.aborted) abort()
      signal?.addEventListener('abort', abort, { once: true })
      // Its callback comes behind those of all that was written before.
      this.#stream.write(new Uint8Array(0), (error) => {
        signal?.removeEventListener('abort', abort)
        if (error) reject(this.#fail(error))
        else resolve()
      })
    })
  }

  /** Ends the stream, unless it is the process's own. */
  async end(): Promise<void> {
    if (this.#stream === process.stdout || this.#stream === process.stderr) return this.drained(undefined)
    if (this.#failure !== undefined) throw this.#failure
    try {
      this.#stream.end()
      await finished(this.#stream, { readable: false })
    } catch (error) {
      throw this.#fail(error as Error)
    }
  }
}

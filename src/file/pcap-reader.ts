/** Capture files as a source. */
import { closeSync, createReadStream, openSync, readSync, statSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { addon, type NativeFile } from '../addon/binding.js'
import { checkFd, checkMilliseconds, checkString, constructing, wrongType } from '../check/arguments.js'
import { native } from '../errors/native.js'
import { NetringError } from '../errors/netring-error.js'
import { Message } from '../events/messages.js'
import type { Batch } from '../packet/batch.js'
import { linkTypeOf, type LinkType } from '../packet/link-type.js'
import { BatchSource } from '../source/batch-source.js'
import { isGzip } from './decompressed.js'
import { Feeder } from './feeder.js'
import { interfaceOf, type PcapInterface } from './interfaces.js'

/** What is known of a file besides its packets. */
interface Facts {
  readonly format: 'pcap' | 'pcapng' | undefined
  readonly interfaces: readonly PcapInterface[]
  readonly truncatedBytes: number
  readonly ended: boolean
  readonly linkType: LinkType
}

/**
 * A capture file as a source: what is written against {@link PacketSource} runs on it, without root. Loops, streams and
 * recv() end at the file's end; what the file says wrongly is an error with the byte where it stands, after all packets before it.
 *
 * @example
 * ```ts
 * import { PcapReader } from 'netring'
 *
 * using reader = PcapReader.open('eth0.pcapng')
 * for await (const batch of reader) {
 *   const { seconds, originalLength } = batch.columns
 *   for (let i = 0; i < batch.length; i++) console.log(seconds[i], originalLength[i])
 * }
 * ```
 */
export class PcapReader extends BatchSource {
  readonly #file: NativeFile
  /** Of one that reads a stream. */
  readonly #feeder: Feeder | undefined
  /** Of one that is closed. */
  #kept: Facts | undefined

  private constructor(file: NativeFile, bytes?: AsyncIterable<Uint8Array> | Readable) {
    super(constructing('PcapReader', addon().NativeFile, file).source(), 0, ['close'])
    this.#file = file
    if (bytes !== undefined) this.#feeder = new Feeder(file, bytes)
  }

  /**
   * Opens a pcap or pcapng file. A regular file is read when nextBatch() is called, which blocks for as long as read(2)
   * does. A file that is compressed (gzip), a pipe and a descriptor are read as a stream, as by {@link PcapReader.from}; a
   * descriptor stays open.
   *
   * @throws NetringError ERR_NETRING_IO where the file cannot be opened
   */
  static open(path: string | URL | number): PcapReader {
    if (typeof path === 'number') {
      return PcapReader.from(
        createReadStream('', { fd: checkFd('path', path), autoClose: false, highWaterMark: CHUNK }),
      )
    }
    const name = checkString('path', path instanceof URL ? fileURLToPath(path) : path)
    if (isStream(name)) return PcapReader.from(createReadStream(name, { highWaterMark: CHUNK }))
    return new PcapReader(native(() => addon().NativeFile.open(name)))
  }

  /**
   * Reads a pcap or pcapng file from a stream of bytes, such as process.stdin, while it is being written; gzip is told by its
   * first bytes. A chunk is taken when something waits for packets: readable(), recv(), a loop over batches or a stream.
   * packets() and nextBatchBlocking() block the event loop, by which bytes come, and so throw ERR_NETRING_UNSUPPORTED
   * where they would have to wait. close() destroys the stream.
   */
  static from(bytes: AsyncIterable<Uint8Array> | Readable): PcapReader {
    const iterable = (bytes as Partial<AsyncIterable<Uint8Array>> | undefined)?.[Symbol.asyncIterator]
    if (typeof iterable !== 'function') throw wrongType('bytes', 'a stream or an AsyncIterable of bytes', bytes)
    return new PcapReader(
      native(() => addon().NativeFile.fed()),
      bytes,
    )
  }

  #facts(): Facts {
    return (
      this.#kept ??
      native(() => ({
        format: this.#file.format() ?? undefined,
        interfaces: this.#file.interfaces().map(interfaceOf),
        truncatedBytes: this.#file.truncatedBytes(),
        ended: this.#file.ended(),
        linkType: linkTypeOf(this.native.linkType()),
      }))
    )
  }

  /** The file's format; undefined until its header has been read. */
  get format(): 'pcap' | 'pcapng' | undefined {
    return this.#facts().format
  }

  /** The interfaces that are described as far as the file has been read; `columns.interfaceId` is an index into them. */
  get interfaces(): readonly PcapInterface[] {
    return this.#facts().interfaces
  }

  /** Bytes behind the last whole packet of a file that was cut off, known at the end; 0 of one that is whole. */
  get truncatedBytes(): number {
    return this.#facts().truncatedBytes
  }

  /** What the packets of the batch before begin with; of the first interface where there was none yet, else 0xffff_ffff. */
  override get linkType(): LinkType {
    return this.#facts().linkType
  }

  protected override atEnd(): boolean {
    return this.#kept?.ended ?? native(() => this.#file.ended())
  }

  /** The next batch, read from the file where it is a regular one; undefined at the end, and where a stream's bytes have not come yet. */
  override nextBatch(): Batch | undefined {
    const batch = super.nextBatch()
    if (batch === undefined && this.#feeder?.failure !== undefined) throw this.#feeder.failure
    return batch
  }

  /** As nextBatch(): a file blocks no longer than that. Throws ERR_NETRING_UNSUPPORTED where a stream would have to be waited for. */
  override nextBatchBlocking(timeoutMs?: number): Batch | undefined {
    checkMilliseconds('timeoutMs', timeoutMs, 0)
    const batch = this.nextBatch()
    if (batch === undefined && this.#feeder !== undefined && !this.ended) {
      throw new NetringError(
        'ERR_NETRING_UNSUPPORTED',
        'the bytes of a stream come by the event loop, which must not be blocked; use `for await` or readable()',
      )
    }
    return batch
  }

  protected override arm(wake: (message: number) => void): boolean {
    const feeder = this.#feeder
    if (feeder === undefined || this.#file.look()) return true
    if (feeder.failure !== undefined) throw feeder.failure
    feeder.pull(() => {
      wake(Message.wake)
    })
    return false
  }

  protected override end(): void {
    this.#kept = this.#facts()
    this.#feeder?.close()
    super.end()
  }
}

/** Bytes that are read from a stream at once. */
const CHUNK = 256 * 1024

/** Whether a file is not to be read by the addon: it is compressed, or no regular file. */
function isStream(path: string): boolean {
  // What cannot be opened is the addon's to tell.
  const kind = statSync(path, { throwIfNoEntry: false })
  if (kind === undefined || kind.isDirectory()) return false
  if (!kind.isFile()) return true
  const head = Buffer.alloc(2)
  try {
    const fd = openSync(path, 'r')
    try {
      readSync(fd, head, 0, head.length, 0)
    } finally {
      closeSync(fd)
    }
  } catch {
    return false
  }
  return isGzip(head)
}

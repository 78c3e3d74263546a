/** Writing capture files. */
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { types } from 'node:util'
import { addon, type NativeFileWriter, type NativeFileWriterOptions } from '../addon/binding.js'
import { Waiters } from '../async/waiters.js'
import { weakCallback } from '../async/weak-callback.js'
import { checkString, constructing, wrongType } from '../check/arguments.js'
import { waitSignal, type WaitOptions } from '../check/wait.js'
import { fromNative, native } from '../errors/native.js'
import { NetringError } from '../errors/netring-error.js'
import { Emitter } from '../events/emitter.js'
import type { Batch } from '../packet/batch.js'
import type { OwnedPacket } from '../packet/packet.js'
import { linkTypeNumber } from '../packet/link-type.js'
import type { CaptureStats } from '../source/counters.js'
import { BatchView } from '../source/batch-view.js'
import { checkWriterOptions, streamOptions, type PcapWriterOptions } from './options.js'
import { StreamOutput } from './stream-output.js'
import { packetRows } from './packet-rows.js'

/** `file`: a file is whole; its listener gets the path. */
export type PcapWriterEvent = 'file'

/** Counts of a {@link PcapWriter}. */
export interface PcapWriterStats {
  /** Packets that the operating system has. */
  readonly packets: number
  /** Bytes that it has. */
  readonly bytes: number
  /** Files begun. */
  readonly files: number
  /** Packets that were given and that no file has, because writing failed. */
  readonly dropped: number
}

/**
 * Writes pcapng or pcap. write() copies packets into memory; a thread of its own writes them to the file, a MiB at a time, and
 * what has waited for half a second.
 *
 * @example
 * ```ts
 * import { Capture, PcapWriter } from 'netring'
 *
 * using capture = Capture.open('eth0')
 * const writer = PcapWriter.open('eth0.pcapng', { interfaceName: 'eth0' })
 * for await (const batch of capture) {
 *   if (!writer.write(batch)) await writer.drained()
 *   if (writer.stats().packets > 1_000_000) break
 * }
 * await writer.close(capture.cumulativeStats())
 * ```
 */
export class PcapWriter extends Emitter implements AsyncDisposable {
  readonly #native: NativeFileWriter
  readonly #linkType: number
  readonly #rotates: boolean
  readonly #waiters: Waiters
  /** Of one that writes a stream. */
  readonly #stream: StreamOutput | undefined
  #closing: Promise<void> | undefined
  /** Of one that is closed. */
  #kept: PcapWriterStats | undefined

  private constructor(writer: NativeFileWriter, options: NativeFileWriterOptions, stream?: Writable) {
    super(['file'])
    this.#native = constructing('PcapWriter', addon().NativeFileWriter, writer)
    this.#linkType = options.linkType ?? linkTypeNumber('linkType', 'ethernet')
    this.#rotates = options.rotate !== undefined
    if (stream !== undefined) this.#stream = new StreamOutput(stream)
    const wake = weakCallback<PcapWriter>(this, this.#wake)
    // While something waits, these keep the writer.
    this.#waiters = new Waiters({
      arm: () => this.#native.drain(wake) > 0,
      disarm: () => {
        this.#native.stopWaiting()
      },
      keepAlive: (keep) => {
        this.#native.keepAlive(keep)
      },
    })
  }

  #wake(): void {
    this.#waiters.wake()
  }

  /**
   * Creates a file, or empties the one that is there.
   *
   * @throws NetringError ERR_NETRING_IO where the operating system refuses, ERR_NETRING_CONFIG where `append` cannot be:
   * another format, link type or byte order, or no capture file; the file is then as it was
   * @throws TypeError, RangeError for an unknown, ill-typed or out-of-range option
   */
  static open(path: string | URL, options?: PcapWriterOptions): PcapWriter {
    const name = checkString('path', path instanceof URL ? fileURLToPath(path) : path)
    const checked = checkWriterOptions(name, options)
    return new PcapWriter(
      native(() => addon().NativeFileWriter.open(name, checked)),
      checked,
    )
  }

  /**
   * Writes to a stream, such as process.stdout or a compressor of node:zlib; pcapng unless `format` says otherwise. write()
   * answers as the stream's does, and close() ends the stream unless it is process.stdout or process.stderr.
   *
   * @throws TypeError, RangeError for an unknown, ill-typed or out-of-range option; `append` and `rotate` are of files
   */
  static to(stream: Writable, options?: Omit<PcapWriterOptions, 'append' | 'rotate'>): PcapWriter {
    if (!(stream instanceof Writable)) throw wrongType('stream', 'a Writable', stream)
    const checked = checkWriterOptions('', options, streamOptions)
    return new PcapWriter(
      native(() => addon().NativeFileWriter.detached(checked)),
      checked,
      stream,
    )
  }

  /**
   * Writes a batch, or the packets at `indices` of it, in one native call straight from the ring; or packets. They are copied
   * before it returns: release them when you like. A batch keeps its link type and interfaces; packets are of the
   * `linkType` of the options, or Ethernet. A VLAN tag that the kernel took out of a batch's packet is put back.
   *
   * False: 8 MiB or more wait for the disk. `await drained()` before going on; else they take memory.
   *
   * @throws NetringError ERR_NETRING_IO what writing failed with, ERR_NETRING_CONFIG for what the format cannot hold (a
   * second link type in pcap) and an index outside of the batch, ERR_NETRING_RELEASED, ERR_NETRING_CLOSED
   */
  write(batch: Batch, indices?: Uint32Array): boolean
  write(packets: OwnedPacket | Iterable<OwnedPacket>): boolean
  write(given: Batch | OwnedPacket | Iterable<OwnedPacket>, indices?: Uint32Array): boolean {
    if (this.#closing !== undefined) throw closedError()
    const room = given instanceof BatchView ? this.#writeBatch(given, indices) : this.#writePackets(given)
    if (this.#rotates) this.#tellWhole()
    return this.#stream?.write(this.#native.take()) ?? room
  }

  #writeBatch(batch: BatchView, indices: Uint32Array | undefined): boolean {
    if (indices !== undefined && !types.isUint32Array(indices)) throw wrongType('indices', 'a Uint32Array', indices)
    return batch.withNative((source, id) => this.#native.writeBatch(source, id, indices))
  }

  #writePackets(given: Batch | OwnedPacket | Iterable<OwnedPacket>): boolean {
    const packets = Symbol.iterator in Object(given) ? [...(given as Iterable<OwnedPacket>)] : [given as OwnedPacket]
    if (!packets.every((packet) => types.isUint8Array((packet as Partial<OwnedPacket> | undefined)?.data))) {
      throw wrongType('packets', 'a batch, a packet or an iterable of packets', given)
    }
    const { data, rows } = packetRows(packets)
    return native(() => this.#native.writePackets(data, rows, this.#linkType))
  }

  /** Writes all that waits and resolves when the operating system has it. Rejects with what writing failed with. */
  async drained(options?: WaitOptions): Promise<void> {
    const signal = waitSignal(options)
    if (this.#kept !== undefined) throw closedError()
    await (this.#stream?.drained(signal) ?? this.#waiters.wait(signal))
    this.#tellWhole()
  }

  /** Counts since open. */
  stats(): PcapWriterStats {
    return this.#kept ?? native(() => this.#native.stats())
  }

  /** Adds a listener: `file` is told when a file is whole, at the next write(), drained() or close(). */
  on(event: PcapWriterEvent, listener: (path: string) => void): this {
    this.listen(event, listener)
    return this
  }

  /**
   * Ends the file and resolves when all is on disk. `stats`, such as `capture.cumulativeStats()`, go into a pcapng file as
   * its interface statistics. Rejects with what writing failed with; what is on disk is a whole file all the same.
   */
  close(stats?: CaptureStats): Promise<void> {
    return (this.#closing ??= this.#finish(stats))
  }

  async #finish(stats: CaptureStats | undefined): Promise<void> {
    try {
      this.#native.close(stats)
      this.#stream?.write(this.#native.take())
      await (this.#stream?.end() ?? this.#waiters.wait(undefined))
    } catch (error) {
      throw fromNative(error)
    } finally {
      this.#tellWhole()
      this.#kept = this.#native.stats()
      this.#native.free()
    }
  }

  #tellWhole(): void {
    if (this.#kept !== undefined) return
    for (const path of this.#native.takeWhole()) this.emitApart('file', path)
  }

  /** close(), for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function closedError(): NetringError {
  return new NetringError('ERR_NETRING_CLOSED', 'the writer is closed; open another')
}

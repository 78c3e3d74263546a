/** Receiving and sending over AF_XDP. */
import type { Writable } from 'node:stream'
import { addon, type NativeXdpSocket } from './binding.js'
import { native, type NetringError } from './errors.js'
import { checkString, constructing } from './options/check.js'
import { checkXdpOptions, xdpDefaults, type XdpDefaults, type XdpOptions } from './options/xdp.js'
import { NativePacketSink } from './sink/native-packet-sink.js'
import type { PacketSink, Slot, TxStats } from './sink/packet-sink.js'
import type { SourceEvent } from './source/linked-endpoint.js'
import { NativePacketSource, type WaitOptions } from './source/packet-source.js'

/** Events of an AF_XDP socket: those of a source and of a sink. */
export type XdpEvent = SourceEvent | 'rejected'

/** The kernel's counters of an AF_XDP socket since open, summed over its queues. */
export interface XdpStats {
  /** Packets that found no frame, or were longer than one. */
  readonly rxDropped: number
  /** Descriptors of the fill ring that the kernel refused. */
  readonly rxInvalidDescriptors: number
  /** Descriptors of the transmit ring that the kernel refused. */
  readonly txInvalidDescriptors: number
  /** Packets that found no room in the receive ring. */
  readonly rxRingFull: number
  /** Times the kernel found the fill ring empty: in copy mode these packets are in `rxDropped`, too. */
  readonly rxFillRingEmpty: number
  /** Times the kernel found the transmit ring empty. */
  readonly txRingEmpty: number
}

/** The sending half. What is native is closed by the whole. */
class XdpSink extends NativePacketSink<NativeXdpSocket> {
  constructor(nativeSocket: NativeXdpSocket, frameCapacity: number, frameCount: number) {
    super(nativeSocket, 'XDP socket', frameCapacity, frameCount)
  }

  protected override end(): void {
    // No slot and no wait is native here.
    this.keepStats()
  }
}

/** A socket over a native one that is open already: how a fanout pool makes those of its workers. */
export let adoptXdpSocket: (interfaceName: string, nativeSocket: NativeXdpSocket, pollTimeoutMs: number) => XdpSocket

/**
 * A socket on some of an interface's receive queues: an XDP program leads their packets here instead of to the network
 * stack. A source and a sink, so code that is written against {@link PacketSource} and {@link PacketSink} runs on it as on
 * {@link Capture} and {@link Injector}. The kernel says nothing but a packet's bytes: its time is that of its batch,
 * `originalLength` is the captured length, and `rxhash`, `status` and the VLAN columns are 0. docs/xdp.md tells the rest.
 *
 * @example
 * ```ts
 * import { XdpSocket } from 'netring'
 *
 * using socket = XdpSocket.open('eth0', { queues: 'all' })
 * for await (const batch of socket) {
 *   const { offset, capturedLength } = batch.columns
 *   for (let i = 0; i < batch.length; i++) {
 *     socket.send(batch.buffer.subarray(offset[i], offset[i]! + capturedLength[i]!))
 *   }
 *   socket.flush()
 * }
 * ```
 */
export class XdpSocket extends NativePacketSource<NativeXdpSocket> implements PacketSink {
  /** What options are when they are not given. Rings are as large as the frames need. */
  static readonly defaults: XdpDefaults = xdpDefaults

  /** The interface's name. */
  readonly interface: string
  /** The queues, in the order of the options. Frames leave through the first. */
  readonly queues: readonly number[]
  /** Whether the driver uses the frames itself, without a copy. */
  readonly zeroCopy: boolean
  readonly #sink: XdpSink
  #last: XdpStats | undefined

  static {
    adoptXdpSocket = (...opened) => new XdpSocket(...opened)
  }

  private constructor(interfaceName: string, nativeSocket: NativeXdpSocket, pollTimeoutMs: number) {
    super(constructing('XdpSocket', addon().NativeXdpSocket, nativeSocket), pollTimeoutMs)
    const { queues, zeroCopy, frameCapacity, txFrames } = nativeSocket.shape()
    this.interface = interfaceName
    this.queues = Object.freeze(queues)
    this.zeroCopy = zeroCopy
    this.#sink = new XdpSink(nativeSocket, frameCapacity, txFrames)
  }

  /**
   * Opens queues of an interface. From when it returns their packets come here and nowhere else; close() gives them back
   * to the network stack, and so does the end of the process, however it comes. A queue that was closed just now is waited
   * for up to a second; opening and closing each take some 50 ms in which the kernel waits for itself, and this thread with it.
   *
   * @throws NetringError ERR_NETRING_XDP_PROGRAM where there is an XDP program already (see `replace`) or none can be
   * loaded (CAP_NET_ADMIN and CAP_BPF), ERR_NETRING_PERMISSION without CAP_NET_RAW, ERR_NETRING_INTERFACE_NOT_FOUND,
   * ERR_NETRING_BIND where the queue is in use or is none, ERR_NETRING_MMAP, ERR_NETRING_UNSUPPORTED,
   * ERR_NETRING_CONFIG for options that do not go together
   * @throws TypeError, RangeError for an unknown, ill-typed or out-of-range option, before any system call
   */
  static open(interfaceName: string, options?: XdpOptions): XdpSocket {
    const name = checkString('interfaceName', interfaceName)
    const checked = checkXdpOptions(options)
    const opened = native(() => addon().NativeXdpSocket.open(name, checked.native))
    return new XdpSocket(name, opened, checked.pollTimeoutMs)
  }

  /**
   * How packets get here: by a program in the driver, behind it, or not at all (mode 'tx', a closed socket, and one whose
   * program somebody else has detached or replaced: its loops and waits end with ERR_NETRING_XDP_PROGRAM within some
   * seconds). A system call.
   */
  get attached(): 'native' | 'skb' | 'none' {
    return this.closed ? 'none' : native(() => this.native.attached())
  }

  /** The kernel's counters since open. A system call a queue. Of a socket that is closed, as they were then. */
  xdpStats(): XdpStats {
    return this.#last ?? native(() => this.native.xdpStats())
  }

  /** Bytes of the largest frame: 1792 or 3840, whatever the interface's MTU is. */
  get frameCapacity(): number {
    return this.#sink.frameCapacity
  }
  /** Frames that send: 0 in mode 'rx', in which whatever sends throws ERR_NETRING_CONFIG. */
  get frameCount(): number {
    return this.#sink.frameCount
  }
  /** Slots that can be allocated now. @throws NetringError as allocate() */
  get availableSlots(): number {
    return this.#sink.availableSlots
  }
  /** Frames queued or not yet completed by the driver. Of a socket that is closed, as it was then. */
  get pendingCount(): number {
    return this.#sink.pendingCount
  }
  /** Frames that the driver dropped. Of a socket that is closed, as it was then. */
  get rejectedSlots(): number {
    return this.#sink.rejectedSlots
  }

  /**
   * The next free frame of the UMEM, or undefined when there is none; as {@link Injector.allocate}.
   * @throws TypeError, RangeError when `length` is no number of bytes up to frameCapacity
   * @throws NetringError ERR_NETRING_CLOSED, ERR_NETRING_CONFIG in mode 'rx'
   */
  allocate(length: number): Slot | undefined {
    return this.#sink.allocate(length)
  }

  /** Queues a copy of a frame; false when no slot is free. Throws as {@link Injector.send}, and in mode 'rx'. */
  send(frame: Uint8Array): boolean {
    return this.#sink.send(frame)
  }

  /** Queues copies of many frames in one native call; as {@link Injector.sendBatch}. */
  sendBatch(frames: readonly Uint8Array[]): number
  sendBatch(frames: Uint8Array, lengths: Uint32Array | readonly number[], stride: number): number
  sendBatch(...frames: readonly unknown[]): number {
    return this.#sink.sendBatch(...(frames as [Uint8Array, Uint32Array, number]))
  }

  /**
   * Puts what is queued into the transmit ring and kicks the kernel until the ring is empty; never blocks. Returns how many
   * frames went in. A frame that the driver drops is counted in rejectedSlots and passed to 'rejected' listeners.
   * @throws NetringError ERR_NETRING_LINK_DOWN (frames stay queued), ERR_NETRING_INTERFACE_REMOVED, ERR_NETRING_CLOSED,
   * ERR_NETRING_CONFIG in mode 'rx'
   */
  flush(): number {
    return this.#sink.flush()
  }

  /** Queues a frame, waiting for a free slot by flushing. Rejects as {@link Injector.sendAsync}. */
  sendAsync(frame: Uint8Array, options?: WaitOptions): Promise<void> {
    return this.#sink.sendAsync(frame, options)
  }

  /** Queues many frames in order, waiting for free slots by flushing. Rejects as {@link Injector.sendBatchAsync}. */
  sendBatchAsync(frames: readonly Uint8Array[], options?: WaitOptions): Promise<void> {
    return this.#sink.sendBatchAsync(frames, options)
  }

  /** Flushes and resolves when every queued frame has been completed. Rejects with `signal.reason` or as flush() throws. */
  drained(options?: WaitOptions): Promise<void> {
    return this.#sink.drained(options)
  }

  /** As drained(), blocking this thread; false when `timeoutMs` passed first. */
  waitDrained(timeoutMs: number): boolean {
    return this.#sink.waitDrained(timeoutMs)
  }

  /** The counters of what was sent. No system call. Of a socket that is closed, as they were then. */
  txStats(): TxStats {
    return this.#sink.txStats()
  }

  /** A node:stream that takes frames, with backpressure; as {@link Injector.writable}. */
  writable(options?: { readonly signal?: AbortSignal; readonly highWaterMark?: number }): Writable {
    return this.#sink.writable(options)
  }

  /**
   * Events of a source, and 'rejected': the driver dropped a frame, with the reason as a NetringError.
   * @throws TypeError for another event
   */
  override on(event: SourceEvent, listener: () => void): this
  override on(event: 'rejected', listener: (reason: NetringError) => void): this
  override on(event: XdpEvent, listener: (reason: NetringError) => void): this {
    if (event === 'rejected') {
      this.#sink.on(event, listener)
      return this
    }
    return super.on(event, listener as () => void)
  }

  override off(event: string, listener: (...args: never[]) => void): this {
    this.#sink.off(event, listener)
    return super.off(event, listener)
  }

  /**
   * Idempotent. The program is detached first, so the network stack has its packets again; what is queued is not sent;
   * views of batches and slots become empty. Takes some 50 ms on this thread, and some 13 more for
   * each further queue.
   */
  override close(): void {
    super.close()
  }

  protected override end(): void {
    try {
      this.#sink.close()
      this.#last = this.xdpStats()
    } catch {
      // Then there are none to keep, and that keeps nobody from closing.
    } finally {
      super.end()
    }
  }
}

/** Receiving and sending over AF_XDP. */
import { addon, type NativeXdpSocket } from '../addon/binding.js'
import { checkString, constructing } from '../check/arguments.js'
import { native } from '../errors/native.js'
import { checkXdpFilter } from '../filter/filter.js'
import type { PacketFilter } from '../filter/packet-filter.js'
import type { NetringError } from '../errors/netring-error.js'
import { mixFrameSink } from '../sink/frame-sink.js'
import type { PacketSink, Slot, TxStats } from '../sink/packet-sink.js'
import { SinkState } from '../sink/sink-state.js'
import { BatchSource, sourceEvents } from '../source/batch-source.js'
import type { SourceEvent } from '../source/packet-source.js'
import { checkXdpOptions, xdpDefaults, type XdpDefaults, type XdpOptions } from './options.js'

/** Events of an AF_XDP socket: those of a source and of a sink. */
export type XdpEvent = SourceEvent | 'rejected'
const events: readonly XdpEvent[] = [...sourceEvents, 'rejected']

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
// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging -- mixFrameSink() defines what the interface adds
export class XdpSocket extends BatchSource {
  /** What options are when they are not given. Rings are as large as the frames need. */
  static readonly defaults: XdpDefaults = xdpDefaults

  /** The interface's name. */
  readonly interface: string
  /** The queues, in the order of the options. Frames leave through the first. */
  readonly queues: readonly number[]
  /** Whether the driver uses the frames itself, without a copy. */
  readonly zeroCopy: boolean
  /** What the members of a sink work on. */
  protected readonly sink: SinkState
  readonly #native: NativeXdpSocket
  #last: XdpStats | undefined

  static {
    mixFrameSink(XdpSocket.prototype)
  }

  private constructor(interfaceName: string, nativeSocket: NativeXdpSocket, pollTimeoutMs: number) {
    const source = constructing('XdpSocket', addon().NativeXdpSocket, nativeSocket).source()
    const sink = new SinkState(nativeSocket.sink(), 'XDP socket')
    super(source, pollTimeoutMs, events, [sink])
    const { queues, zeroCopy } = nativeSocket.layout()
    this.interface = interfaceName
    this.queues = Object.freeze(queues)
    this.zeroCopy = zeroCopy
    this.sink = sink
    this.#native = nativeSocket
  }

  /**
   * Over a native handle that is open already: how a fanout pool makes the sources of its workers.
   * @internal
   */
  static adopt(interfaceName: string, nativeSocket: NativeXdpSocket, pollTimeoutMs: number): XdpSocket {
    return new XdpSocket(interfaceName, nativeSocket, pollTimeoutMs)
  }

  /**
   * Opens queues of an interface. From when it returns their packets come here and nowhere else; close() gives them back
   * to the network stack, and so does the end of the process, however it comes. A queue that was closed just now is waited
   * for up to a second; opening and closing each take some 50 ms in which the kernel waits for itself, and this thread with it.
   *
   * @throws NetringError ERR_NETRING_XDP_PROGRAM where there is an XDP program already (see `replace`) or none can be
   * loaded (CAP_NET_ADMIN and CAP_BPF), ERR_NETRING_PERMISSION without CAP_NET_RAW, ERR_NETRING_INTERFACE_NOT_FOUND,
   * ERR_NETRING_BIND where the queue is in use or is none, ERR_NETRING_MMAP, ERR_NETRING_UNSUPPORTED,
   * ERR_NETRING_FILTER, ERR_NETRING_CONFIG for options that do not go together
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
    return this.closed ? 'none' : native(() => this.#native.attached())
  }

  /**
   * Replaces the filter: what it matches comes here, the rest goes on to the network stack. No packet that the new one refuses is
   * handed out afterwards, those already in the rings included; batches that you have stay. Nothing is lost, either: the
   * kernel judges every packet by one of the two. Takes some milliseconds.
   * @throws NetringError ERR_NETRING_FILTER; the filter is then as it was. ERR_NETRING_CONFIG in mode 'tx', with `program`
   * and in a pool's worker; ERR_NETRING_XDP_PROGRAM where somebody has detached the program; ERR_NETRING_CLOSED
   */
  setFilter(filter: PacketFilter | string): void {
    const checked = checkXdpFilter('filter', filter)
    native(() => {
      this.#native.setFilter(checked)
    })
  }

  /** Takes the filter away: everything comes here from now on. @throws NetringError as setFilter() */
  detachFilter(): void {
    native(() => {
      this.#native.setFilter()
    })
  }

  /** The kernel's counters since open. A system call a queue. Of a socket that is closed, as they were then. */
  xdpStats(): XdpStats {
    return this.#last ?? native(() => this.#native.xdpStats())
  }

  /**
   * Events of a source, and 'rejected': the driver dropped a frame, with the reason as a NetringError.
   * @throws TypeError for another event
   */
  override on(event: SourceEvent, listener: () => void): this
  override on(event: 'rejected', listener: (reason: NetringError) => void): this
  override on(event: XdpEvent, listener: (reason: NetringError) => void): this {
    if (event !== 'rejected') return super.on(event, listener as () => void)
    this.listen(event, listener)
    return this
  }

  /**
   * Idempotent. The program is detached first, so the network stack has its packets again; what is queued is not sent;
   * views of batches and slots become empty. Takes some 50 ms on this thread, and some 13 more for each further queue.
   */
  override close(): void {
    super.close()
  }

  protected override end(): void {
    try {
      this.sink.end()
    } finally {
      this.#keepStats()
      super.end()
    }
  }

  #keepStats(): void {
    try {
      this.#last = this.xdpStats()
    } catch {
      // There are no counters to keep, and closing goes on without them.
    }
  }
}

/** The members of a sink: FrameSink has them, and mixFrameSink() gives them to this class. */
// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging -- as above
export interface XdpSocket extends Omit<PacketSink, keyof Disposable | 'closed' | 'close'> {
  /** Bytes of the largest frame: 1792 or 3840, whatever the interface's MTU is. */
  readonly frameCapacity: number
  /** Frames that send: 0 in mode 'rx', in which whatever sends throws ERR_NETRING_CONFIG. */
  readonly frameCount: number
  /** Frames queued or not yet completed by the driver. Of a socket that is closed, as it was then. */
  readonly pendingCount: number
  /** Frames that the driver dropped. Of a socket that is closed, as it was then. */
  readonly rejectedSlots: number

  /**
   * The next free frame of the UMEM, or undefined when there is none; as {@link Injector.allocate}.
   * @throws TypeError, RangeError when `length` is no number of bytes up to frameCapacity
   * @throws NetringError ERR_NETRING_CLOSED, ERR_NETRING_CONFIG in mode 'rx'
   */
  allocate(length: number): Slot | undefined

  /**
   * Puts what is queued into the transmit ring and kicks the kernel until the ring is empty; never blocks. Returns how many
   * frames went in. A frame that the driver drops is counted in rejectedSlots and passed to 'rejected' listeners.
   * @throws NetringError ERR_NETRING_LINK_DOWN (frames stay queued), ERR_NETRING_INTERFACE_REMOVED, ERR_NETRING_CLOSED,
   * ERR_NETRING_CONFIG in mode 'rx'
   */
  flush(): number

  /** The counters of what was sent. No system call. Of a socket that is closed, as they were then. */
  txStats(): TxStats
}

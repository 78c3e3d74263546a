/** Receiving from an interface. */
import { addon, type NativeCapture } from '../addon/binding.js'
import { checkString, constructing } from '../check/arguments.js'
import { native } from '../errors/native.js'
import type { Filter } from '../filter/filter.js'
import type { Program } from '../filter/program.js'
import { BatchSource, sourceEvents } from '../source/batch-source.js'
import { captureDefaults, checkCaptureOptions, type CaptureOptions } from './options.js'
import { PacketRing, type RingShape } from './ring.js'

/**
 * A capture: a packet socket with a TPACKET_V3 ring that the kernel fills and JavaScript reads in place.
 *
 * @example
 * ```ts
 * import { Capture } from 'netring'
 *
 * using capture = Capture.open('eth0', { promiscuous: true, filter: 'tcp port 443' })
 * for await (const batch of capture) {
 *   const { offset, capturedLength } = batch.columns
 *   for (let i = 0; i < batch.length; i++) {
 *     console.log(capturedLength[i], batch.buffer.readUInt16BE(offset[i]! + 12).toString(16))
 *   }
 * }
 * ```
 */
export class Capture extends BatchSource {
  /** What options are when they are not given. */
  static readonly defaults: Required<Omit<CaptureOptions, 'profile' | 'fanout' | 'filter' | 'netns'>> = captureDefaults

  /** The interface's name. */
  readonly interface: string
  /** The socket's descriptor, for other tools' socket options. Owned by the capture: do not close it. */
  readonly fd: number
  /** The id of the fanout group it joined. */
  readonly fanoutId: number | undefined
  /** The ring's actual geometry: sizes in bytes, and whether it is locked in memory. */
  readonly ring: RingShape
  readonly #ring: PacketRing

  private constructor(interfaceName: string, nativeCapture: NativeCapture, pollTimeoutMs: number) {
    super(constructing('Capture', addon().NativeCapture, nativeCapture).source(), pollTimeoutMs, sourceEvents)
    const ring = new PacketRing(nativeCapture)
    this.interface = interfaceName
    this.fd = ring.fd
    this.fanoutId = ring.fanoutId
    this.ring = ring.shape
    this.#ring = ring
  }

  /**
   * Over a native handle that is open already: how a fanout pool makes the sources of its workers.
   * @internal
   */
  static adopt(interfaceName: string, nativeCapture: NativeCapture, pollTimeoutMs: number): Capture {
    return new Capture(interfaceName, nativeCapture, pollTimeoutMs)
  }

  /**
   * Opens an interface and starts receiving: no packet of another interface and none that the filter refuses is ever
   * seen. An interface that is down may be opened; packets come when it is up.
   *
   * @throws NetringError ERR_NETRING_PERMISSION without CAP_NET_RAW, ERR_NETRING_INTERFACE_NOT_FOUND,
   * ERR_NETRING_CONFIG, ERR_NETRING_MMAP, ERR_NETRING_SOCKOPT, ERR_NETRING_FILTER, ERR_NETRING_BIND
   * @throws TypeError, RangeError for an unknown, ill-typed or out-of-range option, before any system call
   */
  static open(interfaceName: string, options?: CaptureOptions): Capture {
    const name = checkString('interfaceName', interfaceName)
    const checked = checkCaptureOptions(options)
    const opened = native(() => addon().NativeCapture.open(name, checked.native))
    return new Capture(name, opened, checked.pollTimeoutMs)
  }

  /**
   * Replaces the filter. No packet that the new one refuses is seen afterwards, those already in the ring included:
   * whatever was in the ring and not yet taken is discarded. Takes some milliseconds, in which nothing is received.
   * @throws NetringError ERR_NETRING_FILTER; the filter is then as it was
   */
  setFilter(filter: Filter): void {
    this.#ring.setFilter(filter)
  }

  /** Takes the filter away: everything passes from now on. What was in the ring is discarded as by setFilter(). */
  detachFilter(): void {
    this.#ring.detachFilter()
  }

  /**
   * Gives the fanout group (mode `cbpf` or `ebpf`) its program, for all its members.
   * @throws NetringError ERR_NETRING_SOCKOPT
   */
  attachFanoutProgram(program: Program): void {
    this.#ring.attachFanoutProgram(program)
  }
}

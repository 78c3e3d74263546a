/** Receiving from an interface. */
import { addon, type NativeCapture } from './binding.js'
import { native } from './errors.js'
import { captureDefaults, checkCaptureOptions, type CaptureOptions } from './options/capture.js'
import { checkString, constructing } from './options/check.js'
import { checkProgram, type Filter, type Program } from './options/program.js'
import { NativePacketSource } from './source/packet-source.js'

/** A capture over a native one that is open already: how a fanout pool makes those of its workers. */
export let adoptCapture: (interfaceName: string, nativeCapture: NativeCapture, pollTimeoutMs: number) => Capture

/** A ring as it was got. */
export interface RingShape {
  /** Bytes a block. */
  readonly blockSize: number
  /** Blocks; fewer than asked for where memory was short. */
  readonly blockCount: number
  /** Bytes a frame, as the kernel was told. */
  readonly frameSize: number
  /** Whether it cannot be swapped out. */
  readonly locked: boolean
}

/**
 * A capture: a packet socket with a TPACKET_V3 ring that the kernel fills and JavaScript reads in place.
 *
 * @example
 * ```ts
 * import { Capture } from 'netring'
 *
 * using capture = Capture.open('eth0', { promiscuous: true })
 * for await (const batch of capture) {
 *   const { offset, capturedLength } = batch.columns
 *   for (let i = 0; i < batch.length; i++) {
 *     console.log(capturedLength[i], batch.buffer.readUInt16BE(offset[i]! + 12).toString(16))
 *   }
 * }
 * ```
 */
export class Capture extends NativePacketSource<NativeCapture> {
  /** What options are when they are not given. */
  static readonly defaults: Required<Omit<CaptureOptions, 'profile' | 'fanout' | 'filter' | 'netns'>> = captureDefaults

  /** The interface's name. */
  readonly interface: string
  /** The socket's descriptor, for other tools' socket options. Owned by the capture: do not close it. */
  readonly fd: number
  /** The id of the fanout group it joined. */
  readonly fanoutId: number | undefined
  /** The ring as it was got: sizes in bytes, and whether it is locked in memory. */
  readonly ring: RingShape

  static {
    adoptCapture = (...opened) => new Capture(...opened)
  }

  private constructor(interfaceName: string, nativeCapture: NativeCapture, pollTimeoutMs: number) {
    super(constructing('Capture', addon().NativeCapture, nativeCapture), pollTimeoutMs)
    const { fd, fanoutId, ...ring } = nativeCapture.ring()
    this.interface = interfaceName
    this.fd = fd
    this.fanoutId = fanoutId
    this.ring = Object.freeze(ring)
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
    const program = checkProgram('filter', filter)
    native(() => {
      this.native.setFilter(program)
    })
  }

  /** Takes the filter away: everything passes from now on. What was in the ring is discarded as by setFilter(). */
  detachFilter(): void {
    native(() => {
      this.native.setFilter()
    })
  }

  /**
   * Gives the fanout group (mode `cbpf` or `ebpf`) its program, for all its members.
   * @throws NetringError ERR_NETRING_SOCKOPT
   */
  attachFanoutProgram(program: Program): void {
    const checked = checkProgram('program', program)
    native(() => {
      this.native.setFanoutProgram(checked)
    })
  }
}

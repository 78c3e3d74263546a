/** Sending on an interface. */
import { addon, type NativeSink } from '../addon/binding.js'
import { checkString, constructing } from '../check/arguments.js'
import { native } from '../errors/native.js'
import type { NetringError } from '../errors/netring-error.js'
import { FrameSink } from '../sink/frame-sink.js'
import { SinkState } from '../sink/sink-state.js'
import { checkInjectorOptions, type InjectorOptions } from './options.js'

/** Events of a sink. */
export type SinkEvent = 'rejected' | 'close'
const events: readonly SinkEvent[] = ['rejected', 'close']

/**
 * An injector: slots of memory that JavaScript fills and the kernel sends.
 *
 * Frames are complete, link-layer header included. `send`, `sendBatch` and `slot.send` queue; `flush` hands over what is
 * queued. Frames leave in the order in which they were queued.
 *
 * @example
 * ```ts
 * import { Injector } from 'netring'
 *
 * using injector = Injector.open('eth0')
 * const frame = Buffer.from('ffffffffffff02000000000188b5' + '00'.repeat(46), 'hex')
 * injector.send(frame)
 * await injector.drained()
 * console.log(injector.txStats()) // { sent: 1, rejected: 0, pending: 0, bytes: 60 }
 * ```
 */
export class Injector extends FrameSink {
  /** The interface's name. */
  readonly interface: string
  /** The socket's descriptor, for other tools' socket options. Owned by the injector: do not close it. */
  readonly fd: number

  private constructor(interfaceName: string, nativeSink: NativeSink) {
    super(new SinkState(constructing('Injector', addon().NativeSink, nativeSink), 'injector'), events)
    this.interface = interfaceName
    this.fd = nativeSink.fd()
  }

  /**
   * Opens an interface for sending.
   * @throws NetringError ERR_NETRING_PERMISSION without CAP_NET_RAW, ERR_NETRING_INTERFACE_NOT_FOUND,
   * ERR_NETRING_CONFIG, ERR_NETRING_MMAP, ERR_NETRING_SOCKOPT, ERR_NETRING_BIND
   * @throws TypeError, RangeError for an unknown, ill-typed or out-of-range option, before any system call
   */
  static open(interfaceName: string, options?: InjectorOptions): Injector {
    const name = checkString('interfaceName', interfaceName)
    const checked = checkInjectorOptions(options)
    return new Injector(
      name,
      native(() => addon().nativeOpenInjector(name, checked)),
    )
  }

  /**
   * 'rejected': the kernel refused a frame, with the reason as a NetringError. 'close': after close().
   * @throws TypeError for another event
   */
  on(event: 'rejected', listener: (reason: NetringError) => void): this
  on(event: 'close', listener: () => void): this
  on(event: SinkEvent, listener: ((reason: NetringError) => void) | (() => void)): this {
    this.listen(event, listener)
    return this
  }
}

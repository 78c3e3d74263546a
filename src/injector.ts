/** Sending on an interface. */
import { addon, type NativeInjector } from './binding.js'
import { native, NetringError } from './errors.js'
import { checkString, constructing } from './options/check.js'
import { checkInjectorOptions, type InjectorOptions } from './options/injector.js'
import { NativePacketSink } from './sink/native-packet-sink.js'
import { Waiters } from './source/waiters.js'
import { weakly } from './weakly.js'

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
export class Injector extends NativePacketSink<NativeInjector> {
  /** The interface's name. */
  readonly interface: string
  /** The socket's descriptor, for other tools' socket options. Owned by the injector: do not close it. */
  readonly fd: number
  protected override readonly room: Waiters

  private constructor(interfaceName: string, nativeInjector: NativeInjector, frameSize: number, frameCount: number) {
    super(constructing('Injector', addon().NativeInjector, nativeInjector), 'injector', frameSize, frameCount)
    this.interface = interfaceName
    this.fd = nativeInjector.fd()
    const onMessage = weakly<Injector>(this, this.#wake)
    this.room = new Waiters({
      arm: () => {
        if (this.#awake) return true
        nativeInjector.waitWritable(onMessage)
        return false
      },
      disarm: () => {
        nativeInjector.stopWaiting()
      },
      keepAlive: (keep) => {
        nativeInjector.keepAlive(keep)
      },
    })
  }

  /** The native wait came back: whoever waits tries again. */
  #awake = false
  #wake(): void {
    if (this.closed) return
    this.#awake = true
    this.room.wake()
    this.#awake = false
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
    const opened = native(() => addon().NativeInjector.open(name, checked))
    return new Injector(name, opened, checked.frameSize, checked.frameCount)
  }

  /** Idempotent. What is queued and not flushed is not sent; every slot's view becomes empty. */
  override close(): void {
    super.close()
  }

  protected override end(): void {
    try {
      this.room.fail(new NetringError('ERR_NETRING_CLOSED', 'the injector is closed; open another'))
      this.keepStats()
    } finally {
      native(() => {
        this.native.close()
      })
    }
  }
}

/** Forwarding between two interfaces. */
import { addon } from '../addon/binding.js'
import { inSlices } from '../async/event-loop.js'
import { checkInteger, checkString, refusal, wrongType } from '../check/arguments.js'
import { waitSignal, type WaitOptions } from '../check/wait.js'
import { native, parseNative } from '../errors/native.js'
import { type NetringError } from '../errors/netring-error.js'
import { Closable } from '../events/closable.js'
import { bridgeDirections, closedError, type BridgeDirection, type BridgeStats, type Engine } from './engine.js'
import { HookedEngine } from './hooked.js'
import { checkBridgeOptions, type BridgeOptions, type CheckedBridgeOptions } from './options.js'
import { ThreadedEngine } from './threaded.js'

/** Events of a bridge. */
export type BridgeEvent = 'rejected' | 'close'
const bridgeEvents: readonly BridgeEvent[] = ['rejected', 'close']

/**
 * Two interfaces as if they were one wire: what comes in at one leaves at the other, whole, tags and offloads
 * included. Both interfaces are promiscuous while it is open. Without a hook a native thread forwards; with one, JavaScript
 * decides on every packet, a batch at a time. docs/bridge.md tells what that costs, what latency it adds and what becomes of
 * frames that find no room.
 *
 * @example
 * ```ts
 * import { Bridge } from 'netring'
 *
 * using bridge = Bridge.open('eth0', 'eth1', {
 *   onPacket: (packet, direction) => (direction === 'aToB' && packet.protocol === 0x86dd ? 'drop' : 'forward'),
 * })
 * bridge.on('rejected', (error, direction) => console.warn(direction, error.message))
 * await bridge.run({ signal: AbortSignal.timeout(60_000) }).catch(() => undefined)
 * console.log(bridge.stats().aToB)
 * ```
 */
export class Bridge extends Closable {
  /** The interface on side a. */
  readonly a: string
  /** The interface on side b. */
  readonly b: string
  readonly #state: { closed: boolean }
  readonly #engine: Engine
  readonly #pollTimeoutMs: number
  #busy = false
  /** The counters of a bridge that is closed. */
  #final: Readonly<Record<BridgeDirection, BridgeStats>> | undefined
  /** The run under way, if run() was called. */
  #running: { readonly signal: AbortSignal | undefined; readonly over: Promise<unknown> } | undefined

  private constructor(a: string, b: string, checked: CheckedBridgeOptions) {
    const state = { closed: false }
    super([state], bridgeEvents)
    this.a = a
    this.b = b
    this.#state = state
    this.#pollTimeoutMs = checked.pollTimeoutMs
    const report = (reports: readonly (readonly string[])[]): void => {
      this.#emitRejections(reports)
    }
    this.#engine = native(() => {
      const { filters, onPacket, sides } = checked
      if (onPacket === undefined) {
        const bridge =
          sides.backend === 'xdp'
            ? addon().NativeBridge.openXdp(a, b, sides.a, sides.b, filters)
            : addon().NativeBridge.open(a, b, sides.a, sides.b, filters)
        return new ThreadedEngine(bridge, report)
      }
      const forwarders =
        sides.backend === 'xdp'
          ? addon().nativeOpenXdpForwarders(a, b, sides.a, sides.b, filters)
          : addon().nativeOpenForwarders(a, b, sides.a, sides.b, filters)
      return new HookedEngine(forwarders, onPacket, report)
    })
  }

  /**
   * Opens both interfaces. From now on they receive; nothing is forwarded before run() or runIterations().
   *
   * @throws NetringError ERR_NETRING_PERMISSION without CAP_NET_RAW, ERR_NETRING_INTERFACE_NOT_FOUND, ERR_NETRING_CONFIG
   * (also for interfaces of different types, or twice the same), ERR_NETRING_MMAP, ERR_NETRING_SOCKOPT, ERR_NETRING_FILTER,
   * ERR_NETRING_BIND; with backend 'xdp' ERR_NETRING_XDP_PROGRAM
   * @throws TypeError, RangeError for an unknown, ill-typed or out-of-range option, before any system call
   */
  static open(a: string, b: string, options?: BridgeOptions): Bridge {
    const names = [checkString('a', a), checkString('b', b)] as const
    const checked = checkBridgeOptions(options)
    if (a === b && checked.sameNamespace) {
      throw refusal(`a and b are both ${JSON.stringify(a)}; a bridge is between two`)
    }
    return new Bridge(...names, checked)
  }

  /**
   * Forwards in both directions until close(), which resolves it. A link that is down is not the end: frames for it are
   * `rejected` until it is up again. What was under way when it ended goes on with the next run.
   *
   * Rejects with `signal.reason` once nothing is forwarded any more, with what the hook threw (that packet and those behind
   * it in its batch are `dropped`), or with NetringError ERR_NETRING_INTERFACE_REMOVED, ERR_NETRING_CLOSED,
   * ERR_NETRING_XDP_PROGRAM with backend 'xdp' (a side's program was detached or replaced), ERR_NETRING_CONFIG when it is
   * running already. A run whose signal is aborted is waited for.
   */
  async run(options?: WaitOptions): Promise<void> {
    const signal = waitSignal(options)
    // A run that was aborted is about to end.
    while (this.#running?.signal?.aborted) await this.#running.over
    this.#start()
    const run = this.#run(signal)
    this.#running = { signal, over: run.catch(() => undefined) }
    await run
  }

  async #run(signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#engine.run(signal)
    } finally {
      this.#busy = false
      this.#running = undefined
    }
  }

  /**
   * Forwards on this thread, the event loop standing still: `count` times what is there in both directions, a batch each at
   * most, waiting for something at most `pollTimeoutMs` (the smaller of the two sides') each time.
   * @throws TypeError, RangeError for `count`
   * @throws what the hook throws; NetringError as run()
   */
  runIterations(count: number): void {
    if (count === undefined) throw wrongType('count', 'a number', count)
    const rounds = checkInteger('count', count, 0, 0)
    this.#start()
    try {
      for (let round = 0; round < rounds && !this.#state.closed; round++) {
        inSlices(this.#pollTimeoutMs, (ms) => this.#engine.round(ms) || this.#state.closed || undefined)
      }
    } finally {
      this.#busy = false
    }
  }

  #start(): void {
    if (this.#state.closed) throw closedError()
    if (this.#busy) throw refusal('the bridge is running already; wait for that run to end')
    this.#busy = true
  }

  #emitRejections(reports: readonly (readonly string[])[]): void {
    // A listener that throws does not keep the other reasons from being emitted.
    const errors = bridgeDirections.flatMap((direction, index) =>
      (reports[index] ?? []).map((text) => [parseNative(text), direction]),
    )
    this.emitEach('rejected', errors)
  }

  /** What has become of the frames of each direction since the bridge was opened; of one that is closed, until then. */
  stats(): Readonly<Record<BridgeDirection, BridgeStats>> {
    return this.#final ?? this.#stats()
  }

  #stats(): Readonly<Record<BridgeDirection, BridgeStats>> {
    const [aToB, bToA] = native(() => this.#engine.stats())
    if (aToB === undefined || bToA === undefined) throw new TypeError('two directions were expected')
    return { aToB, bToA }
  }

  /**
   * 'rejected': a frame was not forwarded (too large, never room, the other side down), with an error that says why; the
   * first 64 between two turns of the event loop, stats() counts all. What a listener throws is thrown once all have been
   * told: with a hook run() rejects with it, without one it is an uncaught exception, as of any listener.
   */
  on(event: 'rejected', listener: (error: NetringError, direction: BridgeDirection) => void): this
  on(event: 'close', listener: () => void): this
  on(event: BridgeEvent, listener: (error: NetringError, direction: BridgeDirection) => void): this {
    this.listen(event, listener)
    return this
  }

  protected end(): void {
    try {
      // What is forwarded after counting would be missing.
      this.#engine.halt()
      this.#final = this.#stats()
    } catch {
      // There are no counters to keep (an interface is gone), and closing goes on without them.
    } finally {
      this.#engine.close()
    }
  }
}

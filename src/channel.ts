/** Receiving through a queue: a thread drains the ring while JavaScript is busy. */
import { addon, type NativeChannel } from './binding.js'
import { Inbox } from './channel/inbox.js'
import { ChannelLoop } from './channel/loop.js'
import { Requests } from './channel/requests.js'
import type { RingShape } from './capture.js'
import { native, NetringError } from './errors.js'
import { channelDefaults, checkChannelOptions, type ChannelDefaults, type ChannelOptions } from './options/channel.js'
import { checkInteger, checkString, constructing, wrongType } from './options/check.js'
import { checkProgram, type Filter, type Program } from './options/program.js'
import { waitSignal } from './options/wait.js'
import type { OwnedPacket } from './source/packet.js'
import { LinkedEndpoint } from './source/linked-endpoint.js'
import { Counts } from './source/counts.js'
import type { CaptureStats, WaitOptions } from './source/packet-source.js'
import { nextTurn } from './source/turns.js'

/** Packets taken at a time while a channel is drained: between two of them other work has its turn. */
const DRAIN_PACKETS = 16_384

/** Channels that are stopping are reachable from here: the addon itself refers to them weakly. */
const stopping = new Set<ChannelCapture>()

/**
 * A capture that a thread of its own drains into a bounded queue of packets that own their bytes. While JavaScript is busy,
 * for seconds if need be, packets go on into the queue: what it can hold is not lost. It costs more a packet than
 * {@link Capture}, which copies nothing; docs/channel.md says when it is worth that.
 *
 * Packets that were fetched together share one buffer of up to 1 MiB, which lives as long as one of them: copy what you
 * keep for long (`Buffer.from(packet.data)`).
 *
 * @example
 * ```ts
 * import { ChannelCapture } from 'netring'
 *
 * using channel = ChannelCapture.open('eth0', { capacity: 1_000_000, whenFull: 'dropOldest' })
 * for await (const packet of channel) {
 *   console.log(packet.timestamp, packet.length, `${channel.queued} waiting, ${channel.overflowed} lost`)
 * }
 * ```
 */
export class ChannelCapture extends LinkedEndpoint implements AsyncIterable<OwnedPacket, undefined> {
  /** What options are when they are not given. */
  static readonly defaults: ChannelDefaults = channelDefaults

  /** The interface's name. */
  readonly interface: string
  /** The socket's descriptor, for other tools' socket options. Owned by the channel: do not close it. */
  readonly fd: number
  /** The id of the fanout group it joined. */
  readonly fanoutId: number | undefined
  /** The ring as it was got: sizes in bytes, and whether it is locked in memory. */
  readonly ring: RingShape
  readonly #native: NativeChannel
  readonly #counts: Counts
  readonly #state: { closed: boolean }
  readonly #inbox: Inbox
  readonly #requests: Requests
  /** While it stops. */
  #stop: { readonly done: () => void; readonly failed: (reason: unknown) => void } | undefined
  #overflowed = 0

  private constructor(interfaceName: string, nativeChannel: NativeChannel) {
    const state = { closed: false }
    super(state, constructing('ChannelCapture', addon().NativeChannel, nativeChannel))
    const { fd, fanoutId, ...ring } = nativeChannel.ring()
    this.interface = interfaceName
    this.fd = fd
    this.fanoutId = fanoutId
    this.ring = Object.freeze(ring)
    this.#native = nativeChannel
    this.#counts = new Counts(nativeChannel)
    this.#state = state
    const inbox = new Inbox(nativeChannel)
    this.#inbox = inbox
    // While somebody waits, these keep the channel.
    this.#requests = new Requests(
      {
        arm: () => this.#native.pollOrWait(this.onMessage),
        disarm: () => {
          this.#native.stopWaiting()
        },
        keepAlive: (keep) => {
          this.#native.keepAlive(keep)
        },
      },
      (most) => inbox.takeMany(most),
    )
  }

  /**
   * Opens an interface and starts to queue what comes: as {@link Capture.open}, with a thread.
   *
   * @throws NetringError ERR_NETRING_PERMISSION without CAP_NET_RAW, ERR_NETRING_INTERFACE_NOT_FOUND,
   * ERR_NETRING_CONFIG, ERR_NETRING_MMAP, ERR_NETRING_SOCKOPT, ERR_NETRING_FILTER, ERR_NETRING_BIND, ERR_NETRING_IO
   * @throws TypeError, RangeError for an unknown, ill-typed or out-of-range option, before any system call
   */
  static open(interfaceName: string, options?: ChannelOptions): ChannelCapture {
    const name = checkString('interfaceName', interfaceName)
    const checked = checkChannelOptions(options)
    const opened = native(() => addon().NativeChannel.open(name, checked))
    return new ChannelCapture(name, opened)
  }

  protected override woken(): void {
    if (this.#stop === undefined) this.#requests.wake()
    else if (this.#native.stopped()) this.#stop.done()
  }

  protected override refer(referenced: boolean): void {
    this.#requests.referenced = referenced
  }

  /** @throws NetringError ERR_NETRING_CLOSED */
  #checkOpen(): void {
    if (this.#state.closed || this.#stop !== undefined) throw closedError()
  }

  /** The next packet, where it is fetched already and nobody waits for it. */
  #next(): OwnedPacket | undefined {
    return this.#requests.idle && this.#stop === undefined ? this.#inbox.next() : undefined
  }

  /**
   * The next packet, waiting for it. Who asks first is served first.
   *
   * Rejects with `signal.reason`, or NetringError ERR_NETRING_CLOSED, ERR_NETRING_LINK_DOWN (once each time the interface
   * is set down and nothing is queued; wait again, the channel goes on when it is up) or ERR_NETRING_INTERFACE_REMOVED (once
   * nothing is queued).
   */
  async recv(options?: WaitOptions): Promise<OwnedPacket> {
    const signal = waitSignal(options)
    signal?.throwIfAborted()
    this.#checkOpen()
    return this.#next() ?? this.#wait(signal)
  }

  async #wait(signal: AbortSignal | undefined): Promise<OwnedPacket> {
    this.#checkOpen()
    const [packet] = await this.#requests.ask(1, signal)
    // There is one: that is what ask() waits for.
    if (packet === undefined) throw closedError()
    return packet
  }

  /**
   * What is queued, at most `max` packets, waiting until there is at least one: the cheapest way through many. Rejects as
   * recv().
   */
  async recvMany(max: number, options?: WaitOptions): Promise<OwnedPacket[]> {
    if (max === undefined) throw wrongType('max', 'a number', max)
    const most = checkInteger('max', max, 1, 1)
    const signal = waitSignal(options)
    signal?.throwIfAborted()
    this.#checkOpen()
    return this.#requests.ask(most, signal)
  }

  /**
   * The next packet, or undefined where nothing is queued: never waits.
   * @throws NetringError ERR_NETRING_CLOSED, ERR_NETRING_INTERFACE_REMOVED (once nothing is queued)
   */
  tryRecv(): OwnedPacket | undefined {
    this.#checkOpen()
    return this.#inbox.take()
  }

  /**
   * Packet after packet. Ends when the channel is closed or stopped, goes on through a link that is down, and throws
   * ERR_NETRING_INTERFACE_REMOVED. Leaving the loop does not close the channel.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<OwnedPacket, undefined> {
    return new ChannelLoop({
      next: () => (this.#state.closed ? undefined : this.#next()),
      wait: (signal) => this.#wait(signal),
    })
  }

  /**
   * Lets nothing more in and resolves with every packet that came before, in order: those that are queued and those that
   * are still in the ring, whatever the capacity is. The last block of the ring is waited for, `blockTimeoutMs` as a rule.
   * Who waits in recv() is rejected with ERR_NETRING_CLOSED at once. Afterwards the channel is closed; its counters stay.
   *
   * Rejects with NetringError ERR_NETRING_CLOSED where the channel is closed, or close() is called meanwhile.
   */
  async stopAndDrain(): Promise<OwnedPacket[]> {
    this.#checkOpen()
    const stopped = new Promise<void>((done, failed) => {
      this.#stop = { done, failed }
    })
    // Where it is not waited for, nobody is told twice.
    stopped.catch(() => undefined)
    stopping.add(this)
    try {
      this.#requests.fail(closedError())
      // Of before it was stopped: what is queued comes all the same.
      this.#inbox.forgive()
      native(() => {
        this.#native.stop(this.onMessage)
        this.#native.keepAlive(true)
      })
      if (!this.#native.stopped()) await stopped
      return await this.#drain()
    } finally {
      stopping.delete(this)
      this.close()
    }
  }

  async #drain(): Promise<OwnedPacket[]> {
    const packets: OwnedPacket[] = []
    for (;;) {
      if (this.#state.closed) throw closedError()
      const more = this.#inbox.takeMany(DRAIN_PACKETS)
      for (const packet of more) packets.push(packet)
      if (more.length < DRAIN_PACKETS) break
      await nextTurn()
    }
    this.#counts.keep()
    return packets
  }

  /** Packets that are queued, those included that are fetched already. 0 once the channel is closed. */
  get queued(): number {
    return this.#state.closed ? 0 : native(() => this.#native.queued())
  }

  /**
   * Packets that the queue dropped. What the ring received is what was passed on, what is queued and this; what the kernel
   * dropped before is in stats().
   */
  get overflowed(): number {
    return this.#state.closed ? this.#overflowed : native(() => this.#native.overflowed())
  }

  /**
   * Packets that came into the ring, and drops there, since the last call of this. Asks the thread, which answers between
   * two batches.
   */
  stats(): CaptureStats {
    return this.#counts.since()
  }

  /** The same since open. Both go on answering when the channel is closed. */
  cumulativeStats(): CaptureStats {
    return this.#counts.cumulative()
  }

  /**
   * Replaces the filter. No packet that the new one refuses is seen afterwards: what is queued and what is in the ring is
   * discarded. Takes some milliseconds, in which nothing is received.
   * @throws NetringError ERR_NETRING_FILTER; the filter is then as it was, and nothing is discarded. ERR_NETRING_CLOSED,
   * also from stopAndDrain() on: what is drained came through the filter that there was
   */
  setFilter(filter: Filter): void {
    const program = checkProgram('filter', filter)
    this.#checkOpen()
    native(() => {
      this.#native.setFilter(program)
    })
  }

  /** Takes the filter away: everything passes from now on. What was queued is discarded as by setFilter(). */
  detachFilter(): void {
    this.#checkOpen()
    native(() => {
      this.#native.setFilter()
    })
  }

  /**
   * Gives the fanout group (mode `cbpf` or `ebpf`) its program, for all its members.
   * @throws NetringError ERR_NETRING_SOCKOPT, ERR_NETRING_CLOSED
   */
  attachFanoutProgram(program: Program): void {
    const checked = checkProgram('program', program)
    this.#checkOpen()
    native(() => {
      this.#native.setFanoutProgram(checked)
    })
  }

  protected end(): void {
    try {
      this.#requests.fail(closedError())
      this.#stop?.failed(closedError())
      this.#inbox.clear()
      this.#overflowed = this.#native.overflowed()
      this.#counts.keep()
    } finally {
      native(() => {
        this.#native.close()
      })
    }
  }
}

function closedError(): NetringError {
  return new NetringError('ERR_NETRING_CLOSED', 'the channel is closed; open another')
}

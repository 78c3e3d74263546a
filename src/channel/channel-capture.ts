/** Receiving through a queue: a thread drains the ring while JavaScript is busy. */
import { addon, type NativeChannel } from '../addon/binding.js'
import { nextTurn } from '../async/event-loop.js'
import { weakCallback } from '../async/weak-callback.js'
import { PacketRing, type RingShape } from '../capture/ring.js'
import { checkInteger, checkString, constructing, wrongType } from '../check/arguments.js'
import { waitSignal, type WaitOptions } from '../check/wait.js'
import { native } from '../errors/native.js'
import { NetringError } from '../errors/netring-error.js'
import { Closable } from '../events/closable.js'
import { LinkWatch } from '../events/link-watch.js'
import { Message } from '../events/messages.js'
import { checkXdpFilter, type Filter } from '../filter/filter.js'
import type { Program } from '../filter/program.js'
import { linkTypeOf, type LinkType } from '../packet/link-type.js'
import type { OwnedPacket } from '../packet/packet.js'
import { sourceEvents } from '../source/batch-source.js'
import { Counters, type CaptureStats } from '../source/counters.js'
import type { SourceEvent } from '../source/packet-source.js'
import { ChannelLoop } from './loop.js'
import {
  channelDefaults,
  checkChannelOptions,
  checkXdpChannelOptions,
  type ChannelDefaults,
  type ChannelOptions,
  type XdpChannelOptions,
} from './options.js'
import { PrefetchBuffer } from './prefetch-buffer.js'
import { RecvQueue } from './recv-queue.js'

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
export class ChannelCapture extends Closable implements AsyncIterable<OwnedPacket, undefined> {
  /** What options are when they are not given. */
  static readonly defaults: ChannelDefaults = channelDefaults

  /** The interface's name. */
  readonly interface: string
  /** What every packet begins with. */
  readonly linkType: LinkType
  /** The id of the fanout group it joined. */
  readonly fanoutId: number | undefined
  readonly #native: NativeChannel
  /** Of a channel over AF_PACKET. */
  readonly #ring: PacketRing | undefined
  readonly #link: LinkWatch
  readonly #onMessage: (message: number) => void
  readonly #counters: Counters
  readonly #state: { closed: boolean }
  readonly #prefetched: PrefetchBuffer
  readonly #receivers: RecvQueue
  /** While it stops. */
  #stop: { readonly done: () => void; readonly failed: (reason: unknown) => void } | undefined
  #overflowed = 0

  private constructor(interfaceName: string, nativeChannel: NativeChannel, ring: PacketRing | undefined) {
    constructing('ChannelCapture', addon().NativeChannel, nativeChannel)
    const state = { closed: false }
    super([state], sourceEvents)
    this.interface = interfaceName
    this.linkType = linkTypeOf(nativeChannel.linkType())
    this.fanoutId = ring?.fanoutId
    this.#native = nativeChannel
    this.#ring = ring
    this.#onMessage = weakCallback<ChannelCapture>(this, this.#receive)
    this.#link = new LinkWatch(nativeChannel, this.#onMessage)
    this.#counters = new Counters(nativeChannel)
    this.#state = state
    const prefetched = new PrefetchBuffer(nativeChannel)
    this.#prefetched = prefetched
    // While a call waits, these keep the channel.
    this.#receivers = new RecvQueue(
      {
        arm: () => this.#native.pollOrWait(this.#onMessage),
        disarm: () => {
          this.#native.stopWaiting()
        },
        keepAlive: (keep) => {
          this.#native.keepAlive(keep)
        },
      },
      (most) => prefetched.takeMany(most),
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
    const { capture, limits } = checkChannelOptions(options)
    const opened = native(() => addon().NativeChannel.open(name, capture, limits))
    return new ChannelCapture(name, opened, new PacketRing(opened))
  }

  /**
   * The same over AF_XDP: opens queues of an interface as {@link XdpSocket.open} with mode 'rx', and starts to queue what
   * comes. `fd`, `ring` and fanout programs are only of a channel over AF_PACKET: here they throw ERR_NETRING_UNSUPPORTED.
   *
   * @throws NetringError as {@link XdpSocket.open}, and ERR_NETRING_IO
   * @throws TypeError, RangeError for an unknown, ill-typed or out-of-range option, before any system call
   */
  static openXdp(interfaceName: string, options?: XdpChannelOptions): ChannelCapture {
    const name = checkString('interfaceName', interfaceName)
    const { xdp, limits } = checkXdpChannelOptions(options)
    const opened = native(() => addon().NativeChannel.openXdp(name, xdp, limits))
    return new ChannelCapture(name, opened, undefined)
  }

  #receive(message: number): void {
    if (this.closed) return
    if (message !== Message.wake) {
      const event = this.#link.event(message)
      if (event !== undefined) this.emit(event)
    } else if (this.#stop === undefined) this.#receivers.wake()
    else if (this.#native.stopped()) this.#stop.done()
  }

  /** The socket's descriptor, for other tools' socket options. Owned by the channel: do not close it. */
  get fd(): number {
    return this.#packetRing().fd
  }

  /** The ring's actual geometry: sizes in bytes, and whether it is locked in memory. */
  get ring(): RingShape {
    return this.#packetRing().shape
  }

  #packetRing(): PacketRing {
    if (this.#ring !== undefined) return this.#ring
    throw new NetringError(
      'ERR_NETRING_UNSUPPORTED',
      'a channel over AF_XDP has no ring of a packet socket; open() one over AF_PACKET',
    )
  }

  /** @throws NetringError ERR_NETRING_CLOSED */
  #checkOpen(): void {
    if (this.#state.closed || this.#stop !== undefined) throw closedError()
  }

  /** The next packet, where it is fetched already and no call waits for it. */
  #next(): OwnedPacket | undefined {
    return this.#receivers.idle && this.#stop === undefined ? this.#prefetched.next() : undefined
  }

  /**
   * The next packet, waiting for it. Calls are served in their order.
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
    const [packet] = await this.#receivers.ask(1, signal)
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
    return this.#receivers.ask(most, signal)
  }

  /**
   * The next packet, or undefined where nothing is queued: never waits.
   * @throws NetringError ERR_NETRING_CLOSED, ERR_NETRING_INTERFACE_REMOVED (once nothing is queued)
   */
  tryRecv(): OwnedPacket | undefined {
    this.#checkOpen()
    return this.#prefetched.take()
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
   * are still in the ring, whatever the capacity is; and what arrives before the channel's thread has heard of it, a moment later.
   * The last block of the ring is waited for, `blockTimeoutMs` as a rule.
   * Calls that wait in recv() are rejected with ERR_NETRING_CLOSED at once. Afterwards the channel is closed; its counters stay.
   *
   * Rejects with NetringError ERR_NETRING_CLOSED where the channel is closed, or close() is called meanwhile.
   */
  async stopAndDrain(): Promise<OwnedPacket[]> {
    this.#checkOpen()
    const stopped = new Promise<void>((done, failed) => {
      this.#stop = { done, failed }
    })
    // It may be rejected without a wait on it; close() reports that already.
    stopped.catch(() => undefined)
    stopping.add(this)
    try {
      this.#receivers.fail(closedError())
      // An error from before the stop: what is queued is drained all the same.
      this.#prefetched.clearError()
      native(() => {
        this.#native.stop(this.#onMessage)
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
      const more = this.#prefetched.takeMany(DRAIN_PACKETS)
      for (const packet of more) packets.push(packet)
      if (more.length < DRAIN_PACKETS) break
      await nextTurn()
    }
    this.#counters.keep()
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
    return this.#counters.sinceLast()
  }

  /** The same since open. Both go on answering when the channel is closed. */
  cumulativeStats(): CaptureStats {
    return this.#counters.cumulative()
  }

  /**
   * Replaces the filter. No packet that the new one refuses is seen afterwards: what is queued and what is in the ring is
   * discarded. Takes some milliseconds, in which nothing is received.
   * @throws NetringError ERR_NETRING_FILTER; the filter is then as it was, and nothing is discarded. ERR_NETRING_CLOSED,
   * also from stopAndDrain() on: what is drained came through the filter that there was. Over AF_XDP also as
   * {@link XdpSocket.setFilter}
   * @throws TypeError over AF_XDP for the descriptor of an eBPF program
   */
  setFilter(filter: Filter): void {
    if (this.#ring !== undefined) {
      this.#ring.setFilter(filter, this.#checkOpen.bind(this))
      return
    }
    const checked = checkXdpFilter('filter', filter)
    this.#checkOpen()
    native(() => {
      this.#native.setFilter(checked)
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
    this.#packetRing().attachFanoutProgram(program, this.#checkOpen.bind(this))
  }

  /** Events inform; failures reach the caller that waits or calls, never as an 'error' event. */
  on(event: SourceEvent, listener: () => void): this {
    this.listen(event, listener)
    if (event !== 'close' && !this.closed) {
      try {
        this.#link.start()
      } catch (error) {
        this.off(event, listener)
        throw error
      }
    }
    return this
  }

  /** Keeps the process alive while something waits here: the default. */
  ref(): this {
    this.#receivers.referenced = true
    return this
  }

  /** Lets the process end although something waits here. */
  unref(): this {
    this.#receivers.referenced = false
    return this
  }

  protected end(): void {
    try {
      this.#receivers.fail(closedError())
      this.#stop?.failed(closedError())
      this.#prefetched.clear()
      this.#overflowed = this.#native.overflowed()
      this.#counters.keep()
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

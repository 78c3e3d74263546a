/** What every sink of frames does, over its native side. */
import { Writable } from 'node:stream'
import { types } from 'node:util'
import type { NativeFlush } from '../binding.js'
import { Endpoint } from '../endpoint.js'
import type { NetringError } from '../errors.js'
import { fromNative, native, parseNative } from '../errors.js'
import { checkBytes, checkInteger, checkMilliseconds, checkObject, checkSignal, wrongType } from '../options/check.js'
import { waitSignal } from '../options/wait.js'
import type { WaitOptions } from '../source/packet-source.js'
import { inSlices, nextTurn, pause, Sequence, unlessAborted } from '../source/turns.js'
import type { Waiters } from '../source/waiters.js'
import type { NativeSink } from './native-sink.js'
import type { PacketSink, Slot, TxStats } from './packet-sink.js'
import { LoanedSlot, SlotLender } from './slot.js'

/** Events of a sink. */
export type SinkEvent = 'rejected' | 'close'
const sinkEvents: readonly SinkEvent[] = ['rejected', 'close']

/**
 * Nothing tells when a queue below the socket has room or its last frame has left: look again after so many milliseconds, more
 * the longer nothing has changed, so that a queue that stands still costs little.
 */
function lookAgainAfter(looks: number): number {
  return Math.min(Math.max(1, looks / 8), 50)
}

/** The shared half of every sink; what differs is native. */
export abstract class NativePacketSink<N extends NativeSink> extends Endpoint implements PacketSink {
  /** Bytes of the largest frame. */
  readonly frameCapacity: number
  /** Slots. */
  readonly frameCount: number
  /** The native side. For subclasses. */
  protected readonly native: N
  /** Who waits for room in the send buffer, where a flush can end for want of it. */
  protected readonly room: Waiters | undefined
  readonly #lender: SlotLender
  #last: TxStats | undefined
  /** Who waits for slots: in the order of their calls. */
  readonly #senders = new Sequence()

  /** `name` is what errors call the sink. */
  protected constructor(nativeSink: N, name: string, frameCapacity: number, frameCount: number) {
    const lender = new SlotLender(nativeSink, name, frameCapacity)
    super(lender, sinkEvents)
    this.native = nativeSink
    this.#lender = lender
    this.frameCapacity = frameCapacity
    this.frameCount = frameCount
  }

  /**
   * The next free slot, or undefined when there is none. A slot that is neither sent nor discarded is discarded by
   * close() and, with a warning, by the collector. For many small frames sendBatch() is faster: a slot's view costs more
   * than copying such a frame.
   * @throws TypeError, RangeError when `length` is no number of bytes up to frameCapacity
   * @throws NetringError ERR_NETRING_CLOSED
   */
  allocate(length: number): Slot | undefined {
    if (length === undefined) throw wrongType('length', 'a number', length)
    const checked = checkInteger('length', length, 0, 0, this.frameCapacity)
    const slot = native(() => this.native.allocate())
    return slot < 0 ? undefined : new LoanedSlot(this.#lender, slot, checked)
  }

  /**
   * Queues a copy of a frame; false when no slot is free.
   * @throws TypeError when it is no Uint8Array
   * @throws NetringError ERR_NETRING_FRAME when it is longer than frameCapacity or shorter than its link-layer header,
   * ERR_NETRING_CLOSED
   */
  send(frame: Uint8Array): boolean {
    checkBytes('frame', frame)
    try {
      return this.native.send(frame)
    } catch (error) {
      throw fromNative(error)
    }
  }

  /**
   * Queues copies of many frames in one native call and returns how many: fewer than given when the slots run out; those
   * that find no slot are not looked at. With `lengths` the frames lie in one buffer, `stride` bytes apart, which is the
   * fastest.
   * @throws TypeError, RangeError, naming the frame or length by its index; then none was queued
   * @throws NetringError ERR_NETRING_FRAME, naming the frame by its index; then none was queued. ERR_NETRING_CLOSED
   */
  sendBatch(frames: readonly Uint8Array[]): number
  sendBatch(frames: Uint8Array, lengths: Uint32Array | readonly number[], stride: number): number
  sendBatch(
    frames: readonly Uint8Array[] | Uint8Array,
    lengths?: Uint32Array | readonly number[],
    stride?: number,
  ): number {
    if (Array.isArray(frames)) {
      const checked = checkFrames(frames as readonly unknown[], this.availableSlots)
      return native(() => this.native.sendMany(checked, 0))
    }
    const bytes = checkBytes('frames', frames)
    if (stride === undefined) throw wrongType('stride', 'a number', stride)
    const step = checkInteger('stride', stride, 0)
    const checked = checkLengths(lengths, this.availableSlots)
    return native(() => this.native.sendStrided(bytes, checked, step))
  }

  /**
   * Hands what is queued to the kernel, as much as it takes now; never blocks. Returns how many frames it took. What it
   * did not take stays queued. A frame that it refuses (longer than the interface's MTU allows, say) is dropped, counted
   * in rejectedSlots and passed to 'rejected' listeners as an error; with `onMalformed: 'stop'` it is thrown instead.
   * @throws NetringError ERR_NETRING_LINK_DOWN (frames stay queued), ERR_NETRING_INTERFACE_REMOVED, ERR_NETRING_CLOSED,
   * ERR_NETRING_FRAME with `onMalformed: 'stop'`
   */
  flush(): number {
    return this.#flush().taken
  }

  #flush(): NativeFlush {
    const flushed = native(() => this.native.flush())
    if (flushed.rejected > 0) {
      this.#tellRejections()
    }
    return flushed
  }

  /**
   * Queues a frame, waiting for a free slot by flushing. Frames of several calls are queued in the order of the calls.
   * Rejects with `signal.reason` or as send() and flush() throw; the frame is then not queued.
   * @throws NetringError as send() and flush()
   */
  async sendAsync(frame: Uint8Array, options?: WaitOptions): Promise<void> {
    const signal = waitSignal(options)
    signal?.throwIfAborted()
    checkBytes('frame', frame)
    if (this.#senders.idle && this.send(frame)) return
    await this.#inTurn(signal, async () => {
      for (let looks = 1; !this.send(frame); looks++) await this.#makeRoom(signal, looks)
    })
  }

  /** Does something once all before it in the queue of senders is done. An abort does not wait for that. */
  #inTurn(signal: AbortSignal | undefined, work: () => Promise<void>): Promise<void> {
    const done = this.#senders.add(() => {
      signal?.throwIfAborted()
      return work()
    })
    return unlessAborted(done, signal)
  }

  /**
   * Queues many frames in order, waiting for free slots by flushing. Where it rejects, some of them may have been queued;
   * with a TypeError, none. The array may be changed meanwhile, the frames' bytes not before it has resolved.
   * @throws TypeError when one of them is no Uint8Array
   * @throws NetringError as sendBatch() and flush()
   */
  async sendBatchAsync(frames: readonly Uint8Array[], options?: WaitOptions): Promise<void> {
    const signal = waitSignal(options)
    signal?.throwIfAborted()
    if (!Array.isArray(frames)) throw wrongType('frames', 'an array of Buffers', frames)
    const all = checkFrames(frames, frames.length)
    await this.#inTurn(signal, async () => {
      let queued = 0
      for (let looks = 1; ; looks++) {
        const some = all.slice(queued, queued + this.availableSlots)
        const more = native(() => this.native.sendMany(some, queued))
        if (more > 0) looks = 1
        queued += more
        if (queued >= all.length) return
        await this.#makeRoom(signal, looks)
      }
    })
  }

  async #makeRoom(signal: AbortSignal | undefined, looks: number): Promise<void> {
    const { taken, end } = this.#flush()
    if (taken === 0 || this.availableSlots === 0) await this.#wait(end, signal, looks)
    else await nextTurn()
  }

  #tellRejections(): void {
    // A listener that throws keeps no reason from the others.
    const reasons = this.native.takeRejections().map((text) => [parseNative(text)])
    this.emitEach('rejected', reasons)
  }

  /** Waits until another flush may get further. */
  async #wait(end: NativeFlush['end'], signal: AbortSignal | undefined, looks: number): Promise<void> {
    signal?.throwIfAborted()
    if (end === 'bufferFull' && this.room !== undefined) await this.room.wait(signal)
    else await pause(lookAgainAfter(looks), signal, true)
  }

  /**
   * Flushes and resolves when every queued frame has left this host's queues or was refused. Rejects with
   * `signal.reason` or as flush() throws.
   * @throws NetringError as flush()
   */
  async drained(options?: WaitOptions): Promise<void> {
    const signal = waitSignal(options)
    let before = Infinity
    for (let looks = 1; ; looks++) {
      signal?.throwIfAborted()
      const { taken, end } = this.#flush()
      const pending = this.pendingCount
      if (pending === 0) {
        // A caller in a loop over a fast interface must not starve timers, its own time-out among them.
        if (taken > 0) await nextTurn()
        return
      }
      if (pending < before) looks = 1
      before = pending
      await this.#wait(end, signal, looks)
    }
  }

  /**
   * As drained(), blocking this thread (the event loop stands still); false when `timeoutMs` passed first.
   * @throws TypeError, RangeError when `timeoutMs` is no time
   * @throws NetringError as flush()
   */
  waitDrained(timeoutMs: number): boolean {
    if (timeoutMs === undefined) throw wrongType('timeoutMs', 'a number', timeoutMs)
    const timeout = checkMilliseconds('timeoutMs', timeoutMs, 0)
    const drained = inSlices(timeout, (ms) => {
      const over = native(() => this.native.waitDrained(ms))
      this.#tellRejections()
      return over || undefined
    })
    return drained === true
  }

  /**
   * Slots that can be allocated now.
   * @throws NetringError ERR_NETRING_CLOSED
   */
  get availableSlots(): number {
    return native(() => this.native.available())
  }
  /** Frames that are queued here or may still wait in the kernel, as txStats() says. */
  get pendingCount(): number {
    return this.txStats().pending
  }
  /** Frames that the kernel refused, as txStats() says. */
  get rejectedSlots(): number {
    return this.txStats().rejected
  }

  /** The counters now. One system call. Of a sink that is closed, as they were then. */
  txStats(): TxStats {
    return this.#last ?? native(() => this.native.txStats())
  }

  /** Reads the counters for the last time. For subclasses, before they close what is native. */
  protected keepStats(): void {
    try {
      this.#last ??= this.txStats()
    } catch {
      // Then there are none to keep, and that keeps nobody from closing.
    }
  }

  /**
   * A node:stream that takes frames (Buffers), with backpressure. Ending it drains the injector; it stays open. The stream
   * fails as sendAsync() and drained() reject.
   * @throws TypeError, RangeError about `options`
   */
  writable(options?: { readonly signal?: AbortSignal; readonly highWaterMark?: number }): Writable {
    const given = checkObject('options', options, ['signal', 'highWaterMark'])
    const signal = checkSignal('options.signal', given.signal)
    const wait: WaitOptions = signal === undefined ? {} : { signal }
    const settle = (work: Promise<void>, done: (error?: Error | null) => void): void => {
      work.then(
        () => {
          done()
        },
        (error: unknown) => {
          done(error as Error)
        },
      )
    }
    return new Writable({
      objectMode: true,
      highWaterMark: checkInteger('options.highWaterMark', given.highWaterMark, 16),
      ...(signal && { signal }),
      write: (frame: Uint8Array, _encoding, done) => {
        settle(this.sendAsync(frame, wait), done)
      },
      writev: (chunks, done) => {
        const frames = chunks.map(({ chunk }) => chunk as Uint8Array)
        settle(this.sendBatchAsync(frames, wait), done)
      },
      final: (done) => {
        settle(this.drained(wait), done)
      },
    })
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

/**
 * The first `most` frames, in an array of our own: the caller's may be a Proxy, have getters that change what was checked,
 * or be changed while frames of it wait.
 */
function checkFrames(frames: readonly unknown[], most: number): Uint8Array[] {
  const checked: Uint8Array[] = []
  const many = Math.min(frames.length, most)
  for (let index = 0; index < many; index++) {
    const frame = frames[index]
    checked.push(types.isUint8Array(frame) ? frame : checkBytes(`frames[${String(index)}]`, frame))
  }
  return checked
}

/** The first `most` lengths. */
function checkLengths(lengths: Uint32Array | readonly number[] | undefined, most: number): Uint32Array {
  // Of a detached array the length is 0, and subarray() would throw.
  if (types.isUint32Array(lengths)) return lengths.length === 0 ? new Uint32Array(0) : lengths.subarray(0, most)
  if (!Array.isArray(lengths)) throw wrongType('lengths', 'a Uint32Array or an array of numbers', lengths)
  const checked = new Uint32Array(Math.min(lengths.length, most))
  for (let index = 0; index < checked.length; index++) {
    const length: unknown = lengths[index]
    const name = `lengths[${String(index)}]`
    if (length === undefined) throw wrongType(name, 'a number', length)
    checked[index] = checkInteger(name, length, 0)
  }
  return checked
}

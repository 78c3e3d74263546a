/** A sink of frames over a native one. */
import { Writable } from 'node:stream'
import type { NativeFlush } from '../addon/binding.js'
import { inSlices, nextTurn, pause } from '../async/event-loop.js'
import { checkBytes, checkInteger, checkMilliseconds, checkObject, checkSignal, wrongType } from '../check/arguments.js'
import { waitSignal, type WaitOptions } from '../check/wait.js'
import { fromNative, native, parseNative } from '../errors/native.js'
import { Closable } from '../events/closable.js'
import { checkFrames, checkLengths } from './frame-list.js'
import type { PacketSink, Slot, TxStats } from './packet-sink.js'
import type { SinkState } from './sink-state.js'
import { RingSlot } from './slot.js'

/**
 * The kernel does not report when a queue below the socket has room or its last frame has left. So many milliseconds pass before
 * the next look; they grow while nothing changes, so that a queue that stands still costs little.
 */
function lookAgainAfter(looks: number): number {
  return Math.min(Math.max(1, looks / 8), 50)
}

/**
 * Base of every sink. Members that {@link PacketSink} has are documented there. They use nothing but the state and the
 * events of their object, so that mixFrameSink() can give them to an object that is a source, too.
 */
export abstract class FrameSink extends Closable implements PacketSink {
  /** For subclasses. */
  protected readonly sink: SinkState

  /** `names`: its events. */
  protected constructor(sink: SinkState, names: readonly string[]) {
    super([sink], names)
    this.sink = sink
  }

  get frameCapacity(): number {
    return this.sink.frameCapacity
  }
  get frameCount(): number {
    return this.sink.frameCount
  }

  allocate(length: number): Slot | undefined {
    if (length === undefined) throw wrongType('length', 'a number', length)
    const checked = checkInteger('length', length, 0, 0, this.frameCapacity)
    const slot = native(() => this.sink.native.allocate())
    return slot < 0 ? undefined : new RingSlot(this.sink, slot, checked)
  }

  send(frame: Uint8Array): boolean {
    checkBytes('frame', frame)
    try {
      return this.sink.native.send(frame)
    } catch (error) {
      throw fromNative(error)
    }
  }

  sendBatch(frames: readonly Uint8Array[]): number
  sendBatch(frames: Uint8Array, lengths: Uint32Array | readonly number[], stride: number): number
  sendBatch(
    frames: readonly Uint8Array[] | Uint8Array,
    lengths?: Uint32Array | readonly number[],
    stride?: number,
  ): number {
    if (Array.isArray(frames)) {
      const checked = checkFrames(frames as readonly unknown[], this.availableSlots)
      return native(() => this.sink.native.sendMany(checked, 0))
    }
    const bytes = checkBytes('frames', frames)
    if (stride === undefined) throw wrongType('stride', 'a number', stride)
    const step = checkInteger('stride', stride, 0)
    const checked = checkLengths(lengths, this.availableSlots)
    return native(() => this.sink.native.sendStrided(bytes, checked, step))
  }

  flush(): number {
    return this.flushNow().taken
  }

  private flushNow(): NativeFlush {
    const flushed = native(() => this.sink.native.flush())
    if (flushed.rejected > 0) {
      this.reportRejections()
    }
    return flushed
  }

  async sendAsync(frame: Uint8Array, options?: WaitOptions): Promise<void> {
    const signal = waitSignal(options)
    signal?.throwIfAborted()
    checkBytes('frame', frame)
    if (this.sink.senders.idle && this.send(frame)) return
    await this.inTurn(signal, () => (this.send(frame) ? 0 : 1))
  }

  /**
   * Once every earlier sender is done, calls `queue`, which says how many frames are left, until none is left, and makes room
   * in between. An abort does not wait for that; after it nothing is queued.
   */
  private inTurn(signal: AbortSignal | undefined, queue: () => number): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        reject(signal?.reason as Error)
      }
      signal?.addEventListener('abort', abort, { once: true })
      const work = async (): Promise<void> => {
        let before = Infinity
        for (let looks = 1; ; looks++) {
          signal?.throwIfAborted()
          const left = queue()
          // Here and not once this function's promise is settled: an abort in between would reject although all is queued.
          if (left === 0) {
            resolve()
            return
          }
          if (left < before) looks = 1
          before = left
          await this.makeRoom(signal, looks)
        }
      }
      void this.sink.senders
        .add(work)
        .catch(reject)
        .finally(() => signal?.removeEventListener('abort', abort))
    })
  }

  async sendBatchAsync(frames: readonly Uint8Array[], options?: WaitOptions): Promise<void> {
    const signal = waitSignal(options)
    signal?.throwIfAborted()
    if (!Array.isArray(frames)) throw wrongType('frames', 'an array of Buffers', frames)
    const all = checkFrames(frames, frames.length)
    let queued = 0
    await this.inTurn(signal, () => {
      const some = all.slice(queued, queued + this.availableSlots)
      queued += native(() => this.sink.native.sendMany(some, queued))
      return all.length - queued
    })
  }

  private async makeRoom(signal: AbortSignal | undefined, looks: number): Promise<void> {
    const { taken, end } = this.flushNow()
    if (taken === 0 || this.availableSlots === 0) await this.waitForRoom(end, signal, looks)
    else await nextTurn()
  }

  private reportRejections(): void {
    // A listener that throws does not keep the other reasons from being emitted.
    const reasons = this.sink.native.takeRejections().map((text) => [parseNative(text)])
    this.emitEach('rejected', reasons)
  }

  /** Waits until another flush may get further. */
  private async waitForRoom(end: NativeFlush['end'], signal: AbortSignal | undefined, looks: number): Promise<void> {
    signal?.throwIfAborted()
    if (end === 'bufferFull') await this.sink.room.wait(signal)
    else await pause(lookAgainAfter(looks), signal, true)
  }

  async drained(options?: WaitOptions): Promise<void> {
    const signal = waitSignal(options)
    let before = Infinity
    for (let looks = 1; ; looks++) {
      signal?.throwIfAborted()
      const { taken, end } = this.flushNow()
      const pending = this.pendingCount
      if (pending === 0) {
        // A caller in a loop over a fast interface must not starve timers, its own time-out among them.
        if (taken > 0) await nextTurn()
        return
      }
      if (pending < before) looks = 1
      before = pending
      await this.waitForRoom(end, signal, looks)
    }
  }

  waitDrained(timeoutMs: number): boolean {
    if (timeoutMs === undefined) throw wrongType('timeoutMs', 'a number', timeoutMs)
    const timeout = checkMilliseconds('timeoutMs', timeoutMs, 0)
    const drained = inSlices(timeout, (ms) => {
      const over = native(() => this.sink.native.waitDrained(ms))
      this.reportRejections()
      return over || undefined
    })
    return drained === true
  }

  get availableSlots(): number {
    return native(() => this.sink.native.available())
  }
  get pendingCount(): number {
    return this.txStats().pending
  }
  get rejectedSlots(): number {
    return this.txStats().rejected
  }

  txStats(): TxStats {
    return this.sink.txStats()
  }

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

  protected end(): void {
    this.sink.end()
  }
}

/** What an object with another base class has already, or does in its own way. */
const ownMembers: readonly string[] = ['constructor', 'end']

/** Gives a prototype the members of {@link FrameSink}, for objects that have its `sink` and events, but another base class. */
export function mixFrameSink(prototype: object): void {
  const members = Object.entries(Object.getOwnPropertyDescriptors(FrameSink.prototype))
  for (const [name, descriptor] of members) {
    if (!ownMembers.includes(name)) Object.defineProperty(prototype, name, descriptor)
  }
}

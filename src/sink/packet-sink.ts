/** What every sink of frames does. */
import type { Writable } from 'node:stream'
import type { WaitOptions } from '../check/wait.js'

/** Frames sent. */
export interface TxStats {
  /**
   * Frames that the kernel took and no longer holds: transmitted, or dropped below the socket (no carrier, a queueing
   * discipline that drops silently). While some may still wait in the kernel, at least so many; exact once `pending` is 0.
   */
  readonly sent: number
  /** Frames that the kernel refused. */
  readonly rejected: number
  /** Frames that are queued here or may still wait in the kernel. */
  readonly pending: number
  /** Bytes of the frames sent. */
  readonly bytes: number
}

/** Room for one frame. */
export interface Slot extends Disposable {
  /** `length` bytes, a view onto the ring; empty once sent or discarded. Not zeroed: an earlier frame may be in it. */
  readonly data: Buffer
  /**
   * Makes the frame shorter or longer, up to the sink's frameCapacity. `data` is another Buffer afterwards.
   * @throws RangeError
   */
  setLength(length: number): void
  /**
   * Queues the frame behind those already queued.
   * @throws NetringError ERR_NETRING_FRAME (shorter than its link-layer header; the slot stays usable), ERR_NETRING_RELEASED
   */
  send(): void
  /** Gives the slot back unsent. Idempotent; nothing after send(). */
  discard(): void
}

/** A sink of frames: {@link Injector} and {@link XdpSocket} are. */
export interface PacketSink extends Disposable {
  /**
   * The next free slot, or undefined when there is none. A slot that is neither sent nor discarded is discarded by
   * close() and, with a warning, by the collector. For many small frames sendBatch() is faster: a slot's view costs more
   * than copying such a frame.
   * @throws TypeError, RangeError when `length` is no number of bytes up to frameCapacity
   * @throws NetringError ERR_NETRING_CLOSED
   */
  allocate(length: number): Slot | undefined

  /**
   * Queues a copy of a frame; false when no slot is free.
   * @throws TypeError when it is no Uint8Array
   * @throws NetringError ERR_NETRING_FRAME when it is longer than frameCapacity or shorter than its link-layer header,
   * ERR_NETRING_CLOSED
   */
  send(frame: Uint8Array): boolean

  /**
   * Queues copies of many frames in one native call and returns how many: fewer than given when the slots run out; those
   * that find no slot are not looked at. With `lengths` the frames lie in one buffer, `stride` bytes apart, which is the
   * fastest.
   * @throws TypeError, RangeError, naming the frame or length by its index; then none was queued
   * @throws NetringError ERR_NETRING_FRAME, naming the frame by its index; then none was queued. ERR_NETRING_CLOSED
   */
  sendBatch(frames: readonly Uint8Array[]): number
  /** The same of frames that lie in one buffer, `stride` bytes apart. */
  sendBatch(frames: Uint8Array, lengths: Uint32Array | readonly number[], stride: number): number

  /**
   * Hands what is queued to the kernel, as much as it takes now; never blocks. Returns how many frames it took. What it
   * did not take stays queued. A frame that it refuses (longer than the interface's MTU allows, say) is dropped, counted
   * in rejectedSlots and passed to 'rejected' listeners as an error; with `onMalformed: 'stop'` it is thrown instead.
   * @throws NetringError ERR_NETRING_LINK_DOWN (frames stay queued), ERR_NETRING_INTERFACE_REMOVED, ERR_NETRING_CLOSED,
   * ERR_NETRING_FRAME with `onMalformed: 'stop'`
   */
  flush(): number

  /**
   * Queues a frame, waiting for a free slot by flushing. Frames of several calls are queued in the order of the calls.
   * Rejects with `signal.reason` or as send() and flush() throw; the frame is then not queued.
   * @throws NetringError as send() and flush()
   */
  sendAsync(frame: Uint8Array, options?: WaitOptions): Promise<void>

  /**
   * Queues many frames in order, waiting for free slots by flushing. Where it rejects, some of them may have been queued,
   * and no more will be; with a TypeError, none. The array may be changed meanwhile, the frames' bytes not before it has resolved.
   * @throws TypeError when one of them is no Uint8Array
   * @throws NetringError as sendBatch() and flush()
   */
  sendBatchAsync(frames: readonly Uint8Array[], options?: WaitOptions): Promise<void>

  /**
   * Flushes and resolves when every queued frame has left this host's queues or was refused. Rejects with
   * `signal.reason` or as flush() throws.
   * @throws NetringError as flush()
   */
  drained(options?: WaitOptions): Promise<void>

  /**
   * As drained(), blocking this thread (the event loop stands still); false when `timeoutMs` passed first.
   * @throws TypeError, RangeError when `timeoutMs` is no time
   * @throws NetringError as flush()
   */
  waitDrained(timeoutMs: number): boolean

  /** Bytes of the largest frame. */
  readonly frameCapacity: number

  /** Slots. */
  readonly frameCount: number

  /**
   * Slots that can be allocated now.
   * @throws NetringError ERR_NETRING_CLOSED
   */
  readonly availableSlots: number

  /** Frames that are queued here or may still wait in the kernel, as txStats() says. */
  readonly pendingCount: number

  /** Frames that the kernel refused, as txStats() says. */
  readonly rejectedSlots: number

  /** The counters now; one system call. Of a sink that is closed, as they were then. */
  txStats(): TxStats

  /**
   * A node:stream that takes frames (Buffers), with backpressure. Ending it drains the sink, which stays open. The stream
   * fails as sendAsync() and drained() reject.
   * @throws TypeError, RangeError about `options`
   */
  writable(options?: { readonly signal?: AbortSignal; readonly highWaterMark?: number }): Writable

  /** Whether close() was called. */
  readonly closed: boolean

  /** Idempotent. What is queued and not flushed is not sent; every slot's view becomes empty. */
  close(): void
}

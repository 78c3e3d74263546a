/** What every sink of packets does. */
import type { Writable } from 'node:stream'
import type { WaitOptions } from '../source/packet-source.js'

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
  /** The next free slot, or undefined when there is none. */
  allocate(length: number): Slot | undefined
  /** Queues a copy of a frame; false when no slot is free. */
  send(frame: Uint8Array): boolean
  /** Queues copies of many frames in one native call; returns how many. */
  sendBatch(frames: readonly Uint8Array[]): number
  /** Queues copies of many frames in one native call; returns how many. */
  sendBatch(frames: Uint8Array, lengths: Uint32Array | readonly number[], stride: number): number
  /** Hands what is queued to the kernel; never blocks; returns how many frames it took. */
  flush(): number
  /** Queues a frame, waiting for a free slot. */
  sendAsync(frame: Uint8Array, options?: WaitOptions): Promise<void>
  /** Queues many frames in order, waiting for free slots. */
  sendBatchAsync(frames: readonly Uint8Array[], options?: WaitOptions): Promise<void>
  /** Flushes and resolves when every queued frame has left or was refused. */
  drained(options?: WaitOptions): Promise<void>
  /** As drained(), blocking this thread; false when `timeoutMs` passed first. */
  waitDrained(timeoutMs: number): boolean
  /** Bytes of the largest frame. */
  readonly frameCapacity: number
  /** Slots. */
  readonly frameCount: number
  /** Slots that can be allocated now. */
  readonly availableSlots: number
  /** Frames queued here or in the kernel. */
  readonly pendingCount: number
  /** Frames that the kernel refused. */
  readonly rejectedSlots: number
  /** The counters now. */
  txStats(): TxStats
  /** A node:stream that takes frames, with backpressure. */
  writable(options?: { readonly signal?: AbortSignal; readonly highWaterMark?: number }): Writable
  /** Whether close() was called. */
  readonly closed: boolean
  /** Idempotent; what is queued and not flushed is not sent. */
  close(): void
}

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
  allocate(length: number): Slot | undefined
  send(frame: Uint8Array): boolean
  sendBatch(frames: readonly Uint8Array[]): number
  sendBatch(frames: Uint8Array, lengths: Uint32Array | readonly number[], stride: number): number
  flush(): number
  sendAsync(frame: Uint8Array, options?: WaitOptions): Promise<void>
  sendBatchAsync(frames: readonly Uint8Array[], options?: WaitOptions): Promise<void>
  drained(options?: WaitOptions): Promise<void>
  waitDrained(timeoutMs: number): boolean
  readonly frameCapacity: number
  readonly frameCount: number
  readonly availableSlots: number
  readonly pendingCount: number
  readonly rejectedSlots: number
  txStats(): TxStats
  writable(options?: { readonly signal?: AbortSignal; readonly highWaterMark?: number }): Writable
  readonly closed: boolean
  close(): void
}

/** What a source of batches must be able to do natively. AF_PACKET is one; the shape is meant for others. */
import type { NativeStats } from '../binding.js'

export interface NativeSource {
  /** Where next() writes about the batch it hands out: a {@link BatchHead} reads it. */
  head(): ArrayBuffer
  /** The id of the next batch, with the columns of `set` (bits `1 << Column`) filled on the way; -1 where there is none. */
  next(set: number): number
  nextBlocking(set: number, timeoutMs: number): number
  /** True when next() would give a batch; otherwise `waker` is called when something changes. */
  pollOrWait(waker: (message: number) => void): boolean
  stopWaiting(): void
  keepAlive(keep: boolean): void
  watchLink(waker: (message: number) => void): void
  /** After watching has failed: the next watchLink() tries again. */
  unwatchLink(): void
  bytes(id: number): ArrayBuffer
  /** Memory of all columns. What is not filled yet is for fill() to do. */
  columns(id: number): ArrayBuffer
  fill(id: number, set: number): void
  /** Memory of the parsed columns, once a batch; columns offset, capturedLength and originalLength have been filled. */
  parse(id: number): ArrayBuffer
  copy(id: number, data: Uint8Array, columns: Uint8Array): void
  release(id: number): void
  stats(cumulative: boolean): NativeStats
  close(): void
}

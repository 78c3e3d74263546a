/** What a source of batches must be able to do natively. AF_PACKET is one; the shape is meant for others. */
import type { NativeBatch, NativeStats } from '../binding.js'

export interface NativeSource {
  next(): NativeBatch | null
  nextBlocking(timeoutMs: number): NativeBatch | null
  /** True when next() would give a batch; otherwise `waker` is called when something changes. */
  pollOrWait(waker: (message: number) => void): boolean
  stopWaiting(): void
  keepAlive(keep: boolean): void
  watchLink(waker: (message: number) => void, netns?: string): void
  bytes(block: number): ArrayBuffer
  columns(block: number, set: number): ArrayBuffer
  fill(block: number, set: number): void
  copy(block: number, data: Uint8Array, columns: Uint8Array): void
  release(block: number): void
  stats(cumulative: boolean): NativeStats
  close(): void
}

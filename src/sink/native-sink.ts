/** What a sink of frames must be able to do natively. */
import type { NativeFlush, NativeTxStats } from '../binding.js'

export interface NativeSink {
  available(): number
  /** A free slot's number, or -1. */
  allocate(): number
  /** All bytes of a slot. */
  slotBytes(slot: number): ArrayBuffer
  queue(slot: number, length: number): void
  discard(slot: number): void
  send(frame: Uint8Array): boolean
  /** How many were queued; an error counts from `first`. */
  sendMany(frames: Uint8Array[], first: number): number
  sendStrided(bytes: Uint8Array, lengths: Uint32Array, stride: number): number
  flush(): NativeFlush
  takeRejections(): string[]
  txStats(): NativeTxStats
  waitDrained(timeoutMs: number): boolean
}

/** Sending and receiving in tests. */
import type { ExecutionContext } from 'ava'
import { Capture, Injector, type CaptureOptions, type InjectorOptions, type OwnedPacket } from '../../src/index.js'
import type { End } from './network.js'

/** A small ring that is handed over quickly. */
export const smallRing: CaptureOptions = { blockSize: 256 * 1024, blockCount: 8, blockTimeoutMs: 5 }

/** A capture of one end, closed with the test. */
export function captureOn(t: ExecutionContext, at: End, options: CaptureOptions = {}): Capture {
  const capture = Capture.open(at.name, { ...smallRing, ...options, netns: at.netns })
  t.teardown(() => {
    capture.close()
  })
  return capture
}

/** An injector on one end, closed with the test. */
export function injectorOn(t: ExecutionContext, at: End, options: InjectorOptions = {}): Injector {
  const injector = Injector.open(at.name, { ...options, netns: at.netns })
  t.teardown(() => {
    injector.close()
  })
  return injector
}

/** Sends frames and waits until they have left. */
export async function sendAll(injector: Injector, frames: readonly Uint8Array[]): Promise<void> {
  await injector.sendBatchAsync(frames)
  await injector.drained({ signal: AbortSignal.timeout(10_000) })
}

/** Owned copies of the next `count` packets; fewer only if they do not come in time. */
export async function receive(capture: Capture, count: number, timeoutMs = 5000): Promise<OwnedPacket[]> {
  const packets: OwnedPacket[] = []
  const signal = AbortSignal.timeout(timeoutMs)
  while (packets.length < count) {
    try {
      packets.push(...(await capture.recv({ signal })))
    } catch (error) {
      if (signal.aborted) return packets
      throw error
    }
  }
  return packets
}

/** Packets that come within a time, for asserting that none does. */
export async function receiveFor(capture: Capture, milliseconds: number): Promise<OwnedPacket[]> {
  return receive(capture, Infinity, milliseconds)
}

/** Sending and receiving in tests. */
import type { ExecutionContext } from 'ava'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  Capture,
  Injector,
  type Batch,
  type CaptureOptions,
  type InjectorOptions,
  type OwnedPacket,
  type PacketSink,
  type PacketSource,
} from '../../src/index.js'
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
export async function sendAll(injector: PacketSink, frames: readonly Uint8Array[]): Promise<void> {
  await injector.sendBatchAsync(frames)
  await injector.drained({ signal: AbortSignal.timeout(10_000) })
}

/**
 * Sends frames and returns the batch that holds them all. The ring's timer may hand a block over between two of them, on a
 * busy machine above all; then what came is taken out, and all are sent again.
 */
export async function sendAsOne(
  injector: PacketSink,
  capture: PacketSource,
  frames: readonly Uint8Array[],
): Promise<Batch> {
  for (let attempt = 0; attempt < 50; attempt++) {
    await sendAll(injector, frames)
    for (let missing = frames.length; missing > 0;) {
      await capture.readable({ signal: AbortSignal.timeout(10_000) })
      const batch = capture.nextBatch()
      if (batch === undefined) throw new Error('no batch after readable()')
      if (batch.length > missing) throw new Error(`${batch.length} packets, ${missing} were missing`)
      if (batch.length === frames.length) return batch
      missing -= batch.length
      batch.release()
    }
  }
  throw new Error(`${frames.length} frames never came in one batch`)
}

/** Waits until something is so; generous, because the kernel or another process makes it so. */
export async function until(holds: () => boolean, timeoutMs = 10_000): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (!holds()) {
    if (performance.now() >= deadline) return holds()
    await sleep(2)
  }
  return true
}

/**
 * Waits until so many packets since open have passed the filter, in the ring or dropped. A frame that has left one end of
 * a veth pair waits for a softirq at the other, for long when the CPU is busy.
 */
export async function arrived(capture: PacketSource, count: number): Promise<void> {
  const seen = (): number => {
    const { packets, drops } = capture.cumulativeStats()
    return packets + drops
  }
  if (!(await until(() => seen() >= count))) throw new Error(`${seen()} of ${count} frames arrived`)
}

/** Owned copies of the next `count` packets; fewer only if they do not come in time. */
export async function receive(capture: PacketSource, count: number, timeoutMs = 5000): Promise<OwnedPacket[]> {
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

/** As receive(), and what comes in a little time more: a packet too many would be seen. */
export async function receiveNoMoreThan(
  capture: PacketSource,
  count: number,
  timeoutMs?: number,
): Promise<OwnedPacket[]> {
  return [...(await receive(capture, count, timeoutMs)), ...(await receiveFor(capture, 50))]
}

/** Everything that comes until nothing has come for so long. */
export async function receiveUntilSilent(capture: PacketSource, milliseconds: number): Promise<OwnedPacket[]> {
  const packets: OwnedPacket[] = []
  for (;;) {
    const more = await receiveFor(capture, milliseconds)
    if (more.length === 0) return packets
    packets.push(...more)
  }
}

/** Packets that come within a time, for asserting that none does. */
export async function receiveFor(capture: PacketSource, milliseconds: number): Promise<OwnedPacket[]> {
  return receive(capture, Infinity, milliseconds)
}

/** What each of some captures got, once `count` packets have come to them together and no more come. */
export async function shares(captures: readonly PacketSource[], count: number): Promise<OwnedPacket[][]> {
  const got = captures.map((): OwnedPacket[] => [])
  const end = new AbortController()
  const signal = AbortSignal.any([end.signal, AbortSignal.timeout(8000)])
  let left = count
  await Promise.allSettled(
    captures.map(async (capture, index) => {
      if (left <= 0) end.abort()
      for (;;) {
        const packets = await capture.recv({ signal })
        got[index]!.push(...packets)
        left -= packets.length
        if (left <= 0) end.abort()
      }
    }),
  )
  // Some block timeouts more: a packet that comes twice comes now.
  const late = await Promise.all(captures.map((capture) => receiveFor(capture, 20)))
  return got.map((packets, index) => [...packets, ...late[index]!])
}

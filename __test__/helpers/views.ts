/** Everything of a batch that JavaScript can hold on to, and what must be so of it when it is over. */
import type { ExecutionContext } from 'ava'
import type { Batch, PacketSink, PacketSource } from '../../src/index.js'
import { frame, numberOf } from '../../testkit/frames.mjs'
import { sendAll, sendAsOne } from './traffic.js'

export { collect } from '../../testkit/memory.mjs'

export const tiny = { blockSize: 65536, blockCount: 4, blockTimeoutMs: 5 } as const

export const RELEASED = { code: 'ERR_NETRING_RELEASED' }

/** Sends frames and takes the batch that they come in. */
export function take(capture: PacketSource, injector: PacketSink, ...numbers: number[]): Promise<Batch> {
  return sendAsOne(
    injector,
    capture,
    numbers.map((number) => frame(200, number)),
  )
}

export function numbersOf(batch: Batch): number[] {
  return Array.from(batch, (packet) => numberOf(packet.data))
}

/** Sends a frame at a time and holds each batch, until none comes: how many blocks the kernel can use. */
export async function usableBlocks(capture: PacketSource, injector: PacketSink): Promise<number> {
  const held: Batch[] = []
  for (;;) {
    await sendAll(injector, [frame(60)])
    const silence = AbortSignal.timeout(300)
    try {
      await capture.readable({ signal: silence })
    } catch (error) {
      if (error !== silence.reason) throw error
    }
    // Also after a time-out: on a busy machine it may have come first.
    const batch = capture.nextBatch()
    if (batch === undefined) break
    held.push(batch)
  }
  for (const batch of held) batch.release()
  return held.length
}

/** Everything of a batch that gives views. */
export function viewsOf(batch: Batch): ArrayLike<number>[] {
  return [batch.buffer, ...Array.from(batch, (packet) => packet.data), ...columnsOf(batch), ...parsedOf(batch)]
}

function parsedOf(batch: Batch): ArrayLike<number>[] {
  return Object.values(batch.parse()) as Uint8Array[]
}

export function columnsOf({ columns }: Batch): ArrayLike<number>[] {
  return [
    columns.offset,
    columns.capturedLength,
    columns.originalLength,
    columns.seconds,
    columns.nanoseconds,
    columns.rxhash,
    columns.status,
    columns.vlanTci,
    columns.vlanTpid,
    columns.direction,
    columns.protocol,
  ]
}

/** What must be so of every batch that is over. */
export function assertOver(t: ExecutionContext, batch: Batch): void {
  t.true(batch.released)
  t.is(batch.length, 0)
  t.is(batch.buffer.length, 0)
  for (const column of columnsOf(batch)) t.is(column.length, 0)
  t.throws(() => batch.at(0), RELEASED)
  t.throws(() => [...batch], RELEASED)
  t.throws(() => batch.copy(), RELEASED)
  t.throws(() => batch.parse(), RELEASED)
  t.throws(() => batch.firstTimestamp, RELEASED)
  t.throws(() => batch.lastTimestamp, RELEASED)
}

export const fields = [
  'timestamp',
  'seconds',
  'nanoseconds',
  'length',
  'originalLength',
  'truncated',
  'losing',
  'vlanValid',
  'vlanTpidValid',
  'csumValid',
  'csumNotReady',
  'gsoTcp',
  'rxhash',
  'vlanTci',
  'vlanTpid',
  'direction',
  'sourceAddress',
  'protocol',
  'data',
] as const

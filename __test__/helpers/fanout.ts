/** Fanout groups in tests. */
import type { ExecutionContext } from 'ava'
import type { Capture, CaptureOptions, FanoutOptions, OwnedPacket } from '../../src/index.js'
import { numbers, upTo } from '../../testkit/frames.mjs'
import type { End } from './network.js'
import { captureOn } from './traffic.js'

export const sorted = (values: readonly number[]): number[] => [...values].sort((x, y) => x - y)

/** Members of one group, in the order in which they joined. */
export function members(
  t: ExecutionContext,
  at: End,
  count: number,
  fanout: Omit<FanoutOptions, 'group'>,
  options: CaptureOptions = {},
): Capture[] {
  const [first, ...rest] = upTo(count)
  if (first === undefined) return []
  const ring = { blockCount: 32, ...options }
  const founder = captureOn(t, at, { ...ring, fanout: { ...fanout, group: 'unique' } })
  const group = founder.fanoutId!
  return [founder, ...rest.map(() => captureOn(t, at, { ...ring, fanout: { ...fanout, group } }))]
}

export function eachOnce(
  t: ExecutionContext,
  got: readonly OwnedPacket[][],
  wanted: readonly number[],
  what?: string,
): void {
  t.deepEqual(sorted(got.flatMap(numbers)), wanted, what)
}

/** Of each UDP flow, by its ports, the members that got packets of it. */
export function membersOfFlows(got: readonly OwnedPacket[][]): Map<string, Set<number>> {
  const flows = new Map<string, Set<number>>()
  for (const [member, packets] of got.entries()) {
    for (const { data } of packets) {
      const key = sorted([data.readUInt16BE(34), data.readUInt16BE(36)]).join()
      flows.set(key, (flows.get(key) ?? new Set()).add(member))
    }
  }
  return flows
}

/** Small enough to be full soon, and slow to be handed over. */
export const tight: CaptureOptions = { blockSize: 65536, blockCount: 4, blockTimeoutMs: 2000 }

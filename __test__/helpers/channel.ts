/** Channels in tests. */
import type { ExecutionContext } from 'ava'
import { ChannelCapture, type ChannelOptions, type OwnedPacket } from '../../src/index.js'
import type { End } from './network.js'
import { smallRing, until } from './traffic.js'

/** A channel on one end, closed with the test. */
export function channelOn(t: ExecutionContext, at: End, options: ChannelOptions = {}): ChannelCapture {
  const channel = ChannelCapture.open(at.name, { ...smallRing, ...options, netns: at.netns })
  t.teardown(() => {
    channel.close()
  })
  return channel
}

/** Waits until the queue has decided about so many packets, those included that were passed on. */
export async function drained(channel: ChannelCapture, count: number, passedOn = 0): Promise<void> {
  const seen = (): number => channel.queued + channel.overflowed + passedOn
  if (!(await until(() => seen() >= count))) throw new Error(`${seen()} of ${count} packets were drained`)
}

/** What is queued. */
export function takeAll(channel: ChannelCapture): OwnedPacket[] {
  const packets: OwnedPacket[] = []
  for (let packet = channel.tryRecv(); packet !== undefined; packet = channel.tryRecv()) packets.push(packet)
  return packets
}

/** So many packets, by recvMany(). */
export async function receiveMany(channel: ChannelCapture, count: number): Promise<OwnedPacket[]> {
  const packets: OwnedPacket[] = []
  const signal = AbortSignal.timeout(20_000)
  while (packets.length < count) packets.push(...(await channel.recvMany(count - packets.length, { signal })))
  return packets
}

/** Keeps this thread busy. */
export function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

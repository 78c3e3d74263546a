/**
 * Latency: how long packets take from the kernel's timestamp to JavaScript.
 *
 *     npm run example low-latency -- INTERFACE [--profile PROFILE] [--count N] [--seconds N]
 *
 * The profile is 'lowLatency' unless told otherwise. A block of the ring is handed over when it is full or when its timer
 * fires, here after a millisecond: that is most of what is measured. Compare with `--profile default`.
 */
import { Capture, type Profile } from 'netring'
import { cli } from './lib/cli.ts'

const {
  names: [name],
  options: { profile, count },
  signal,
} = cli(['INTERFACE'], { profile: 'lowLatency', count: Infinity })

using capture = Capture.open(name, { profile: profile as Profile })
const delays: number[] = []

/** Microseconds since the epoch, finer than Date.now(). */
const now = (): number => (performance.timeOrigin + performance.now()) * 1000

try {
  for await (const packet of capture.packetsAsync({ count, signal })) {
    delays.push(now() - (packet.seconds * 1e6 + packet.nanoseconds / 1000))
  }
} catch (error) {
  if (!signal.aborted) throw error
}

delays.sort((one, other) => one - other)
const percentile = (part: number): string => delays[Math.ceil(delays.length * part) - 1]?.toFixed(0) ?? '-'
console.log(`${delays.length} packets, microseconds from the kernel's timestamp to JavaScript:`)
console.log(`p50 ${percentile(0.5)}  p90 ${percentile(0.9)}  p99 ${percentile(0.99)}  max ${percentile(1)}`)

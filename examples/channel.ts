/**
 * A channel: a thread drains the ring into a queue, so that a busy event loop loses nothing that the queue can hold.
 *
 *     npm run example channel -- INTERFACE [--busy N] [--capacity N] [--count N] [--seconds N]
 *
 * Blocks the event loop for `--busy` milliseconds between one look at the queue and the next. The queue holds `--capacity`
 * packets; of those that find no room the oldest are dropped, and counted.
 */
import { ChannelCapture } from 'netring'
import { cli } from './lib/cli.ts'

const {
  names: [name],
  options: { busy, capacity, count },
  signal,
} = cli(['INTERFACE'], { busy: 500, capacity: 100_000, count: Infinity })

/** Work that lets nothing else run. */
function work(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, busy)
}

using channel = ChannelCapture.open(name, { capacity, whenFull: 'dropOldest' })
let packets = 0
try {
  while (packets < count) {
    const waiting = await channel.recvMany(capacity, { signal })
    packets += waiting.length
    console.log(`${waiting.length} packets had waited, ${channel.queued} still do, ${channel.overflowed} lost`)
    work()
  }
} catch (error) {
  if (!signal.aborted) throw error
}
const rest = await channel.stopAndDrain()
const { drops } = channel.cumulativeStats()
console.log(`${packets + rest.length} packets, ${channel.overflowed} lost by the queue, ${drops} by the ring`)

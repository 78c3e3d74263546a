/**
 * Batches and columns: the fastest way through the ring, on which no packet becomes an object.
 *
 *     npm run example batch -- INTERFACE [--count N] [--seconds N]
 *
 * Prints a line a batch, and at the end what the packets were. A batch is a block of the ring, or a part of one; `using`
 * gives it back to the kernel.
 */
import { Capture } from 'netring'
import { cli } from './lib/cli.ts'

const {
  names: [name],
  options: { count },
  signal,
} = cli(['INTERFACE'], { count: Infinity })

using capture = Capture.open(name, { promiscuous: true })
const etherTypes = new Map<number, number>()
let packets = 0
let bytes = 0

try {
  while (packets < count) {
    await capture.readable({ signal })
    using batch = capture.nextBatch()
    if (batch === undefined) continue
    const { buffer, length } = batch
    const { offset, originalLength } = batch.columns
    for (let i = 0; i < length; i++) {
      const etherType = buffer.readUInt16BE(offset[i]! + 12)
      etherTypes.set(etherType, (etherTypes.get(etherType) ?? 0) + 1)
      bytes += originalLength[i]!
    }
    packets += length
    const milliseconds = Number(batch.lastTimestamp - batch.firstTimestamp) / 1e6
    const why = batch.timedOut ? 'its timer' : 'a full block'
    console.log(`batch ${batch.seqNum}: ${length} packets of ${milliseconds.toFixed(1)} ms, handed over by ${why}`)
  }
} catch (error) {
  if (!signal.aborted) throw error
}

for (const [etherType, many] of etherTypes) console.log(`0x${etherType.toString(16).padStart(4, '0')}: ${many} packets`)
console.log(`${packets} packets, ${bytes} bytes, ${capture.cumulativeStats().drops} dropped`)

/**
 * Batches and columns: the fastest way through the ring, on which no packet becomes an object.
 *
 *     npm run example batch -- INTERFACE [--count N] [--seconds N]
 *
 * Prints a line a batch, and at the end what the packets were. A batch is a block of the ring, or a part of one, with an
 * array for each field of its packets; `using` gives it back to the kernel.
 */
import { Capture } from 'netring'
import { cli } from './lib/cli.ts'

const {
  names: [name],
  options: { count },
  signal,
} = cli(['INTERFACE'], { count: Infinity })

using capture = Capture.open(name, { promiscuous: true })
const protocols = new Map<string, number>()
let packets = 0
let bytes = 0

try {
  while (packets < count) {
    await capture.readable({ signal })
    using batch = capture.nextBatch()
    if (batch === undefined) continue
    const { length } = batch
    const { originalLength } = batch.columns
    const { etherType, ipVersion, ipProtocol } = batch.parse()
    for (let i = 0; i < length; i++) {
      const ip = ipVersion[i] !== 0
      const protocol = ip ? `IPv${ipVersion[i]} protocol ${ipProtocol[i]}` : `ethertype 0x${etherType[i]!.toString(16)}`
      protocols.set(protocol, (protocols.get(protocol) ?? 0) + 1)
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

for (const [protocol, many] of protocols) console.log(`${protocol}: ${many} packets`)
console.log(`${packets} packets, ${bytes} bytes, ${capture.cumulativeStats().drops} dropped`)

/**
 * Records an interface into a capture file that Wireshark, tcpdump and `read` read, with what was dropped.
 *
 *     npm run example record -- INTERFACE FILE [--count N] [--seconds N]
 *
 * A name that ends in .pcap makes a pcap file, any other pcapng. Ctrl-C ends the file.
 */
import { Capture, PcapWriter } from 'netring'
import { cli } from './lib/cli.ts'

const {
  names: [name, file],
  options: { count },
  signal,
} = cli(['INTERFACE', 'FILE'], { count: Infinity })

using capture = Capture.open(name, { promiscuous: true })
const writer = PcapWriter.open(file, { interfaceName: name })

let left = count
const loop = capture.readableStream({ signal }).values()
try {
  for await (const batch of loop) {
    // The last batch may have more than are wanted.
    const wanted = Uint32Array.from({ length: Math.min(left, batch.length) }, (_, index) => index)
    const room = writer.write(batch, wanted)
    batch.release()
    if ((left -= wanted.length) === 0) break
    // False: much waits for the disk. Meanwhile packets wait in the ring.
    if (!room) await writer.drained()
  }
} catch (error) {
  if (error !== signal.reason) throw error
}
const stats = capture.cumulativeStats()
// The file says how many packets it lacks: `capinfos` and `read` show it.
await writer.close(stats)
console.log(`${writer.stats().packets} packets written to ${file}, ${stats.drops} dropped`)

/**
 * Pipelines of node:stream: from an interface into a capture file that Wireshark and tcpdump read.
 *
 *     npm run example async-pipeline -- INTERFACE FILE [--count N] [--seconds N]
 *
 * The packets own their bytes, so they may wait in the pipeline for a slow disk. When its buffers are full no more is taken
 * out of the ring, and what then finds no room there is counted as dropped. Ctrl-C closes the capture, which ends the
 * stream: what was taken is still written.
 */
import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { Capture, type OwnedPacket } from 'netring'
import { cli } from './lib/cli.ts'

const {
  names: [name, file],
  options: { count },
  signal,
} = cli(['INTERFACE', 'FILE'], { count: Infinity })

/** Little-endian words of 32 bits. */
const words = (...values: readonly number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer)
/** libpcap's: magic number of nanoseconds, version 2.4, two unused, snaplen, Ethernet. */
const fileHeader = words(0xa1b23c4d, 0x0004_0002, 0, 0, 262_144, 1)

let written = 0
async function* toFile(packets: AsyncIterable<OwnedPacket>): AsyncGenerator<Buffer> {
  yield fileHeader
  for await (const { seconds, nanoseconds, length, originalLength, data } of packets) {
    yield Buffer.concat([words(seconds, nanoseconds, length, originalLength), data])
    if (++written >= count) return
  }
}

using capture = Capture.open(name, { promiscuous: true })
let drops = 0
const finish = (): void => {
  drops = capture.cumulativeStats().drops
  capture.close()
}
signal.addEventListener('abort', finish)
await pipeline(capture.stream(), toFile, createWriteStream(file))
if (!capture.closed) finish()
console.log(`${written} packets written to ${file}, ${drops} dropped`)

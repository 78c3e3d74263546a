/**
 * Reads a capture file: what is in it, by interface, and how long it took. No rights are needed.
 *
 *     npm run example read -- FILE [--seconds N]
 *
 * FILE is pcap or pcapng, gzip'ed or not; `-` is the standard input, which may still be written.
 */
import { PcapReader } from 'netring'
import { cli } from './lib/cli.ts'

const {
  names: [file],
  signal,
} = cli(['FILE'], {})

using reader = file === '-' ? PcapReader.from(process.stdin) : PcapReader.open(file)
signal.addEventListener('abort', () => {
  reader.close() // ends the loop below
})

const begin = performance.now()
const packets: number[] = []
const bytes: number[] = []
for await (const { columns, length } of reader) {
  const { interfaceId, originalLength } = columns
  for (let i = 0; i < length; i++) {
    const id = interfaceId[i]!
    packets[id] = (packets[id] ?? 0) + 1
    bytes[id] = (bytes[id] ?? 0) + originalLength[i]!
  }
}
const seconds = (performance.now() - begin) / 1000

for (const [id, { name, linkType, stats }] of reader.interfaces.entries()) {
  const dropped = stats?.dropped === undefined ? '' : `, ${stats.dropped} dropped when it was recorded`
  console.log(`${name ?? id} (${linkType}): ${packets[id] ?? 0} packets, ${bytes[id] ?? 0} bytes${dropped}`)
}
if (reader.truncatedBytes > 0) console.log(`the file was cut: ${reader.truncatedBytes} bytes are no whole packet`)
console.log(`${reader.format ?? 'empty'}, read in ${seconds.toFixed(3)} s`)

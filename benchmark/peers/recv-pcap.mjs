// The npm package `pcap` doing the benchmark's work: one 'packet' event a packet, one buffer for all.
import pcap from 'pcap'

import { Tally, receiverOptions } from '../tally.mjs'

const MIB = 1 << 20

const options = receiverOptions({ 'buffer-mib': '256', timeout: '60' })
const session = pcap.createSession(options.interface, {
  buffer_size: Number(options['buffer-mib']) * MIB,
  buffer_timeout: Number(options.timeout),
})
const tally = new Tally('npm-pcap', options, () => {
  tally.drops = session.stats().ps_drop
  session.close()
})

session.on('packet', ({ buf, header }) => {
  if (tally.packets === 0) tally.firstPacket()
  const timestamp = header.readUInt32LE(0) + header.readUInt32LE(4) / 1e6
  const length = header.readUInt32LE(12)
  tally.packets += 1
  tally.bytes += length
  if (timestamp > tally.newestTimestamp) tally.newestTimestamp = timestamp
  tally.checksum = (tally.checksum + length + buf[12] + buf[23] + buf[37] + buf[49]) | 0
  if (tally.packets === tally.count) tally.finish()
})
tally.ready()

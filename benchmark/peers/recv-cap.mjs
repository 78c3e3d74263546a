// The npm package `cap` doing the benchmark's work, as far as it can: it gives no timestamps and no
// statistics, and only as much of the length as its buffer holds.
import cap from 'cap'

import { Tally, receiverOptions } from '../tally.mjs'

const MIB = 1 << 20

const options = receiverOptions({ 'buffer-mib': '256' })
const capture = new cap.Cap()
const buffer = Buffer.alloc(65535)
capture.open(options.interface, '', Number(options['buffer-mib']) * MIB, buffer)
const tally = new Tally('npm-cap', options, () => {
  tally.drops = null
  capture.close()
})

capture.on('packet', (length) => {
  if (tally.packets === 0) tally.firstPacket()
  tally.packets += 1
  tally.bytes += length
  tally.checksum = (tally.checksum + length + buffer[12] + buffer[23] + buffer[37] + buffer[49]) | 0
  if (tally.packets === tally.count) tally.finish()
})
tally.ready()

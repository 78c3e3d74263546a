// netring doing the benchmark's work, in three ways: by columns, by packet objects, and by packet objects whose bytes
// are asked for as Buffers; over AF_PACKET or AF_XDP.
import { Capture, XdpSocket } from '../dist/index.js'
import { Tally, addWithData, receiverOptions } from './tally.mjs'

const options = receiverOptions({
  mode: 'columns',
  backend: 'packet',
  'block-size': '4194304',
  'block-count': '64',
  'block-timeout': '60',
})
const XDP = options.backend === 'xdp'
const capture = XDP
  ? XdpSocket.open(options.interface, { mode: 'rx', frameCount: 65536 })
  : Capture.open(options.interface, {
      blockSize: Number(options['block-size']),
      blockCount: Number(options['block-count']),
      blockTimeoutMs: Number(options['block-timeout']),
    })
const tally = new Tally(XDP ? `netring-xdp-${options.mode}` : `netring-${options.mode}`, options, () => {
  tally.drops = capture.cumulativeStats().drops
  capture.close()
})

/** Four bytes, the length and the time of every packet, in place. `| 0` tells V8 that 32-bit arithmetic will do. */
function columns(batch) {
  const { offset, capturedLength, seconds, nanoseconds } = batch.columns
  const bytes = batch.buffer
  const count = batch.length
  let { checksum, newestSeconds, newestNanoseconds } = tally
  let total = 0
  for (let i = 0; i < count; i++) {
    const at = offset[i] | 0
    const length = capturedLength[i] | 0
    const s = seconds[i] | 0
    const ns = nanoseconds[i] | 0
    total = (total + length) | 0
    if (s > newestSeconds || (s === newestSeconds && ns > newestNanoseconds)) {
      newestSeconds = s
      newestNanoseconds = ns
    }
    checksum = (checksum + length + bytes[at + 12] + bytes[at + 23] + bytes[at + 37] + bytes[at + 49]) | 0
  }
  tally.packets += count
  tally.bytes += total
  tally.newestSeconds = newestSeconds
  tally.newestNanoseconds = newestNanoseconds
  tally.checksum = checksum
}

/** The same fields through packet objects; the bytes through the batch's buffer. */
function packets(batch) {
  const { offset } = batch.columns
  const bytes = batch.buffer
  let index = 0
  for (const packet of batch) {
    const at = offset[index++]
    const length = packet.length
    const timestamp = packet.seconds + packet.nanoseconds / 1e9
    tally.packets++
    tally.bytes += length
    if (timestamp > tally.newestTimestamp) tally.newestTimestamp = timestamp
    tally.checksum = (tally.checksum + length + bytes[at + 12] + bytes[at + 23] + bytes[at + 37] + bytes[at + 49]) | 0
  }
}

/** The same through a Buffer a packet. */
function data(batch) {
  addWithData(tally, batch)
}

tally.newestSeconds = 0
tally.newestNanoseconds = 0
const work = { columns, packets, data }[options.mode]
if (work === undefined) throw new TypeError(`--mode ${options.mode}: columns, packets or data`)

async function receive() {
  tally.ready()
  for await (const batch of capture) {
    if (tally.packets === 0) tally.firstPacket()
    work(batch)
    if (tally.count > 0 && tally.packets >= tally.count) tally.finish()
  }
}

await receive()

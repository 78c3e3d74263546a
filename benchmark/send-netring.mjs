// netring sending the benchmark's frames, in three ways: many frames a call from one buffer, one frame a call, and slots
// filled in place. Prints the same JSON line as c/send.c.
import { parseArgs } from 'node:util'
import { Injector, XdpSocket } from '../dist/index.js'
import { ethernet, ipv4, udp } from '../testkit/headers.mjs'

const { values } = parseArgs({
  options: {
    interface: { type: 'string' },
    mode: { type: 'string', default: 'sendbatch' },
    count: { type: 'string', default: '1000000' },
    size: { type: 'string', default: '64' },
    'qdisc-bypass': { type: 'boolean', default: false },
    backend: { type: 'string', default: 'packet' },
  },
})
const count = Number(values.count)
const size = Number(values.size)
const XDP = values.backend === 'xdp'
/** Of long frames fewer: what has been copied into the slots is in the cache yet when the kernel reads it. */
const BATCH = size > 256 ? 256 : 1024
const injector = XDP
  ? XdpSocket.open(values.interface, { mode: 'tx', frameCount: 4096 })
  : Injector.open(values.interface, {
      frameSize: Math.max(2048, size),
      frameCount: BATCH,
      qdiscBypass: values['qdisc-bypass'],
    })

/** An IPv4 UDP frame for nobody; its sequence number goes to the first bytes of the payload. */
const SEQUENCE = 42
const frame = ethernet(0x0800, ipv4(17, udp(9, 9, Buffer.alloc(size - SEQUENCE))))

const modes = {
  sendbatch() {
    const batch = Buffer.alloc(size * BATCH)
    for (let n = 0; n < BATCH; n++) frame.copy(batch, n * size)
    const lengths = new Uint32Array(BATCH).fill(size)
    const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength)
    for (let sent = 0; sent < count;) {
      const many = Math.min(BATCH, count - sent)
      for (let n = 0; n < many; n++) view.setUint32(n * size + SEQUENCE, sent + n, true)
      sent += injector.sendBatch(batch, many < BATCH ? lengths.subarray(0, many) : lengths, size)
      injector.flush()
    }
  },
  send() {
    for (let sent = 0; sent < count;) {
      frame.writeUInt32LE(sent, SEQUENCE)
      if (injector.send(frame)) sent++
      else injector.flush()
    }
  },
  slots() {
    for (let sent = 0; sent < count;) {
      const slot = injector.allocate(size)
      if (slot === undefined) {
        injector.flush()
        continue
      }
      slot.data.set(frame)
      slot.data.writeUInt32LE(sent++, SEQUENCE)
      slot.send()
    }
  },
}
const work = modes[values.mode]
if (work === undefined) throw new TypeError(`--mode ${values.mode}: sendbatch, send or slots`)

const used = process.cpuUsage()
const start = performance.now()
work()
await injector.drained()
const seconds = (performance.now() - start) / 1000
const { user, system } = process.cpuUsage(used)
const { sent } = injector.txStats()
console.log(
  JSON.stringify({
    sender: `netring-${XDP ? 'xdp-' : ''}${values.mode}${values['qdisc-bypass'] ? '-bypass' : ''}`,
    size,
    count,
    sent,
    seconds: Number(seconds.toFixed(6)),
    pps: Math.round(sent / seconds),
    cpuNsPerPacket: Number((((user + system) * 1000) / sent).toFixed(1)),
  }),
)
injector.close()

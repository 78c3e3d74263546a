/**
 * Sending over AF_XDP: the fastest way out of an interface.
 *
 *     npm run example xdp-send -- INTERFACE [--to TO] [--queue N] [--count N] [--seconds N]
 *
 * The frames are numbered, of an ethertype that nothing answers to; `--to` is a MAC address. Mode 'tx' attaches no program
 * and takes no packet away from the network stack. Frames in one buffer, `stride` bytes apart, are the fastest to queue.
 */
import { interfaceInfo, XdpSocket } from 'netring'
import { cli } from './lib/cli.ts'
import { numberedFrame } from './lib/frame.ts'

const {
  names: [name],
  options: { to, queue, count },
  signal,
} = cli(['INTERFACE'], { to: 'ff:ff:ff:ff:ff:ff', queue: 0, count: 1000 })

using socket = XdpSocket.open(name, { mode: 'tx', queues: queue })
const template = numberedFrame(interfaceInfo(name).macAddress, to, 0)
const stride = template.length
const frames = Buffer.alloc(stride * 64)
for (let at = 0; at < frames.length; at += stride) template.copy(frames, at)

const start = performance.now()
let queued = 0
try {
  while (queued < count) {
    const some = Math.min(64, count - queued)
    for (let i = 0; i < some; i++) frames.writeUInt32BE(queued + i, i * stride + 14)
    const taken = socket.sendBatch(frames, new Uint32Array(some).fill(stride), stride)
    queued += taken
    if (taken < some) await socket.drained({ signal }) // every frame of the UMEM is on its way
  }
  await socket.drained({ signal })
} catch (error) {
  if (!signal.aborted) throw error
}

const seconds = (performance.now() - start) / 1000
const { sent, rejected, pending } = socket.txStats()
console.log(`${sent} frames sent in ${seconds.toFixed(2)} s, ${rejected} rejected, ${pending} not yet gone`)
console.log(
  socket.zeroCopy
    ? 'without a copy: the driver read them in place'
    : 'with a copy each: this driver cannot read them in place',
)

/** The other host: echoes UDP and TCP on port 7, and on request floods the wire through an Injector. */
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { Injector } from '../../dist/index.js'
import { peer, us } from './network.mjs'
import { discarded } from './frames.mjs'

const udp = createSocket('udp4')
udp.on('message', (message, from) => udp.send(message, from.port, from.address))
const tcp = createServer((socket) => socket.pipe(socket))

process.on('message', async ({ flood }) => {
  const injector = Injector.open(peer.interface, { frameCount: 4096 })
  const size = 64
  const batch = Buffer.alloc(size * 1024)
  const lengths = new Uint32Array(1024).fill(size)
  for (let n = 0; n < 1024; n++) discarded({ from: peer, to: us, length: size }).copy(batch, n * size)
  for (let left = flood; left > 0;) {
    left -= injector.sendBatch(batch, left < 1024 ? lengths.subarray(0, left) : lengths, size)
    injector.flush()
  }
  await injector.drained()
  const { sent } = injector.txStats()
  injector.close()
  process.send({ sent })
})
process.on('disconnect', () => process.exit())

udp.bind(peer.port, peer.address, () => {
  tcp.listen(peer.port, peer.address, () => process.send({ ready: true }))
})

/** What is killed: holds sockets, a batch and views. `child.mjs capture|xdp INTERFACE [native|skb]`. */
import { Capture, XdpSocket } from 'netring'

const [kind, name, attach] = process.argv.slice(2)
const socket =
  kind === 'xdp'
    ? XdpSocket.open(name, { queues: 'all', attach })
    : Capture.open(name, { profile: 'lowMemory', promiscuous: true })
process.stdout.write('ready')
await socket.readable()
const batch = socket.nextBatch()
const views = [...batch].map(({ data }) => data)
process.stdout.write(`holding ${views.length}`)
setInterval(() => views.length, 1000)

/**
 * What `npm run demo` shows, in a namespace of its own: a conversation captured and printed as it happens, then a flood
 * counted by columns. Ordinary sockets talk to the host behind a veth pair, an Injector adds frames of its own, and
 * everything that is printed came through the ring.
 */
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Capture, Injector } from '../../dist/index.js'
import { arpRequest, echoRequest } from './frames.mjs'
import { format } from './format.mjs'
import { makeNetwork, peer, removeNetwork, us } from './network.mjs'

const FLOOD = 500_000

function say(text) {
  console.log(`\n# ${text}`)
}

async function startPeer() {
  const script = fileURLToPath(new URL('peer.mjs', import.meta.url))
  const stdio = ['ignore', 'inherit', 'inherit', 'ipc']
  const child = spawn('ip', ['netns', 'exec', peer.netns, process.execPath, script], { stdio })
  const [{ ready }] = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => [{ ready: false }])])
  if (!ready) throw new Error('the host behind the veth pair did not start')
  return child
}

/** ARP, UDP and TCP by ordinary sockets; ICMP, ARP and a VLAN tag by the Injector. */
async function converse(injector) {
  const udp = createSocket('udp4')
  udp.send('hello, ring', peer.port, peer.address)
  await once(udp, 'message')
  udp.close()

  const tcp = connect(peer.port, peer.address)
  await once(tcp, 'connect')
  tcp.write('GET /packets HTTP/1.1\r\n\r\n')
  await once(tcp, 'data')
  tcp.end()
  await once(tcp, 'close')

  injector.send(arpRequest({ from: us, to: peer }))
  for (const sequence of [1, 2, 3]) injector.send(echoRequest({ from: us, to: peer, sequence }))
  const slot = injector.allocate(64)
  const tagged = echoRequest({ from: us, to: peer, sequence: 4, tci: 0x602a })
  slot.setLength(tagged.length)
  tagged.copy(slot.data)
  slot.send()
  await injector.drained()
}

async function conversation() {
  say(`A capture of ${us.interface}: sockets and an Injector talk to ${peer.address}, the ring shows it`)
  const capture = Capture.open(us.interface, { profile: 'lowLatency' })
  const injector = Injector.open(us.interface)
  const printing = (async () => {
    for await (const batch of capture) for (const packet of batch) console.log(format(packet))
  })()
  await converse(injector)
  await sleep(200)
  const { packets, drops } = capture.cumulativeStats()
  const { sent, rejected } = injector.txStats()
  injector.close()
  capture.close()
  await printing
  say(`${packets} packets, ${drops} dropped; the Injector sent ${sent}, ${rejected} rejected`)
  return packets
}

/** Redraws one line on a terminal; elsewhere only the summary is printed. */
function counter(capture, seen) {
  if (!process.stdout.isTTY) return () => undefined
  const start = performance.now()
  const timer = setInterval(() => {
    const { packets, drops } = capture.cumulativeStats()
    const rate = (seen() / (performance.now() - start)).toFixed(0)
    process.stdout.write(`\r\x1b[K${packets} packets, ${drops} dropped, ${rate} kpps`)
  }, 100)
  return () => {
    clearInterval(timer)
    process.stdout.write('\r\x1b[K')
  }
}

async function flood(host) {
  say(`${FLOOD} packets from an Injector of ${peer.address}, counted by columns`)
  const capture = Capture.open(us.interface, { ignoreOutgoing: true, promiscuous: true })
  let [seen, bytes] = [0, 0]
  const stopCounter = counter(capture, () => seen)
  const sent = once(host, 'message')
  const used = process.cpuUsage()
  const start = performance.now()
  host.send({ flood: FLOOD })
  for await (const batch of capture) {
    const { capturedLength } = batch.columns
    for (let i = 0; i < batch.length; i++) bytes += capturedLength[i]
    seen += batch.length
    if (seen >= FLOOD) break
  }
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(used)
  stopCounter()
  const [{ sent: left }] = await sent
  const { packets, drops } = capture.cumulativeStats()
  capture.close()
  console.log(`sent       ${left} packets`)
  console.log(`received   ${packets} packets, ${bytes} bytes`)
  console.log(`dropped    ${drops}`)
  console.log(`rate       ${(seen / seconds / 1000).toFixed(0)} kpps (what the sender can do)`)
  console.log(`CPU        ${(((user + system) * 1000) / seen).toFixed(0)} ns a packet, everything included`)
  return packets >= FLOOD
}

/** What `part` comes to; nothing, where it takes half a minute, or the host behind the veth pair ends meanwhile. */
function bounded(part) {
  return Promise.race([part, sleep(30_000, 0, { ref: false }), once(host, 'exit').then(() => 0)])
}

makeNetwork()
const host = await startPeer()
const shown = await bounded(conversation())
const complete = await bounded(flood(host))
host.disconnect()
removeNetwork()
say(
  shown > 0 && complete ? 'That was netring. Next: README.md' : 'Packets are missing: this is a bug, please report it',
)
process.exit(shown > 0 && complete ? 0 : 1)

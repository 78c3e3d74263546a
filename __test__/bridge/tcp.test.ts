/** TCP and UDP of real hosts pass with every offload on, and arrive whole where there is none. */
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import type { OwnedPacket } from '../../src/index.js'
import {
  addresses,
  bridged,
  bridgeOn,
  counted,
  engines,
  listener,
  node,
  running,
  start,
  unaccounted,
  type Bridged,
} from '../helpers/bridged.js'
import { transportChecksum as checksum } from '../../testkit/checksum.mjs'
import { captureOn, receiveUntilSilent } from '../helpers/traffic.js'

const MIB = 1024 * 1024

/** Sends back the hash of what comes, after as many bytes of its own. */
const SERVER = `
const { createHash } = require('node:crypto')
const bytes = Number(process.argv[1])
const payload = Buffer.alloc(bytes, (at => { const seed = Buffer.alloc(65537); for (let i = 0; i < seed.length; i++) seed[i] = i * 31 + (i >> 8); return seed })())
const server = require('node:net').createServer({ allowHalfOpen: true }, (socket) => {
  const hash = createHash('sha256')
  socket.on('data', (chunk) => hash.update(chunk))
  socket.on('end', () => { socket.write(payload); socket.end(hash.digest()); server.close() })
}).listen(5001, '10.9.0.2', () => console.log('listening'))
`

const CLIENT = `
const { createHash } = require('node:crypto')
const bytes = Number(process.argv[1])
const payload = Buffer.alloc(bytes, (at => { const seed = Buffer.alloc(65537); for (let i = 0; i < seed.length; i++) seed[i] = i * 31 + (i >> 8); return seed })())
const chunks = []
const socket = require('node:net').connect(5001, '10.9.0.2', () => socket.end(payload))
socket.on('data', (chunk) => chunks.push(chunk))
socket.on('error', (error) => { console.error(error); process.exit(1) })
socket.on('close', () => {
  const all = Buffer.concat(chunks)
  const same = all.subarray(0, bytes).equals(payload) && all.subarray(bytes).equals(createHash('sha256').update(payload).digest())
  console.log(same ? 'equal' : 'different: ' + all.length)
})
`

async function transfer(t: ExecutionContext, hosts: Bridged, bytes: number): Promise<string> {
  const server = start(t, hosts.b, SERVER, String(bytes))
  await once(server.stdout!, 'data')
  return (await node(t, hosts.a, CLIENT, String(bytes))).trim()
}

const unfinished = (packets: readonly OwnedPacket[]): OwnedPacket[] =>
  packets.filter(({ gsoTcp, csumNotReady, length }) => gsoTcp && csumNotReady && length > 1514)

for (const [how, options] of engines) {
  test.serial(`TCP with every offload on passes ${how} unharmed, in frames larger than the MTU`, async (t) => {
    const hosts = bridged(t)
    addresses(hosts)
    const bridge = bridgeOn(t, hosts, options)
    running(t, bridge)
    const ring = { blockCount: 256, ignoreOutgoing: true }
    const [before, behind] = [captureOn(t, hosts.left, ring), captureOn(t, hosts.b, ring)]
    t.is(await transfer(t, hosts, 8 * MIB), 'equal')
    t.true(unfinished(await receiveUntilSilent(before, 50)).length > 10, 'large frames came to the bridge')
    t.true(unfinished(await receiveUntilSilent(behind, 50)).length > 10, 'and left it as they were')
    const { aToB, bToA } = bridge.stats()
    for (const stats of [aToB, bToA]) {
      t.like(stats, { tooLarge: 0, rejected: 0, ringFull: 0, kernelDrops: 0 })
      t.is(unaccounted(stats), 0)
    }
  })
}

test.serial('TCP passes with checksums and segments finished where the far side has no offloads', async (t) => {
  const hosts = bridged(t)
  addresses(hosts)
  hosts.right.run('ethtool', '-K', hosts.right.name, 'tx', 'off', 'sg', 'off', 'tso', 'off', 'gso', 'off')
  running(t, bridgeOn(t, hosts))
  const behind = captureOn(t, hosts.b, { blockCount: 256, ignoreOutgoing: true })
  t.is(await transfer(t, hosts, 2 * MIB), 'equal')
  const packets = (await receiveUntilSilent(behind, 50)).filter(({ data }) => data.readUInt16BE(12) === 0x800)
  t.true(packets.length > 1000)
  t.deepEqual(packets.filter(({ length }) => length > 1514).length, 0)
  t.deepEqual(packets.filter(({ data, csumNotReady }) => csumNotReady || checksum(data) !== 0).length, 0)
})

test.serial('UDP checksums left to the hardware are right behind the bridge', async (t) => {
  const hosts = bridged(t)
  addresses(hosts)
  hosts.right.run('ethtool', '-K', hosts.right.name, 'tx', 'off')
  const bridge = bridgeOn(t, hosts)
  running(t, bridge)
  const before = captureOn(t, hosts.left, { ignoreOutgoing: true })
  const behind = listener(t, hosts.b)
  await node(
    t,
    hosts.a,
    `const socket = require('node:dgram').createSocket('udp4')
     let left = 50
     for (let size = 0; size < 50; size++) socket.send(Buffer.alloc(size * 20 + 1, size), 9999, '10.9.0.2', (error) => {
       if (error) throw error
       if (--left === 0) setTimeout(() => socket.close(), 100)
     })`,
  )
  await counted(bridge, 'aToB', ({ forwarded }) => forwarded >= 50)
  const udp = (packets: readonly OwnedPacket[]): OwnedPacket[] =>
    packets.filter(({ data }) => data.readUInt16BE(12) === 0x800 && data[23] === 17)
  const unready = udp(await receiveUntilSilent(before, 50)).filter(({ csumNotReady }) => csumNotReady)
  t.is(unready.length, 50, 'they came without')
  const arrived = udp(await receiveUntilSilent(behind, 50))
  t.is(arrived.length, 50)
  t.deepEqual(arrived.filter(({ data }) => checksum(data) !== 0).length, 0)
})

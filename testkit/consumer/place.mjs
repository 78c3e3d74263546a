/** What the checks open on those pairs, send and receive; and facts of the machine. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Capture, Injector, XdpSocket } from 'netring'
import { frame } from '../frames.mjs'
import { run } from '../network.mjs'
import { Skip } from '../tap.mjs'
import * as traffic from '../traffic.mjs'
import { pairs } from './network.mjs'

const [a, b] = pairs.plain.ends
export const ends = { a, b }

/** Of one check: an emulated processor is slow, and several at once on a busy host are slower. */
export const LIMIT_MS = 120_000
const ARRIVAL_MS = 60_000

/** A ring that a few packets go round. */
export const tiny = { blockSize: 65536, blockCount: 4, blockTimeoutMs: 5, ignoreOutgoing: true }

/** One that loses nothing while nobody reads: a block is closed by its time-out, however little is in it. */
export const roomy = { blockSize: 262_144, blockCount: 64, blockTimeoutMs: 60 }

export function openCapture(after, options, name = b) {
  const capture = Capture.open(name, { ...tiny, ...options })
  after(() => capture.close())
  return capture
}

export function openInjector(after, options, name = a) {
  const injector = Injector.open(name, { frameCount: 64, ...options })
  after(() => injector.close())
  return injector
}

/** Of what XDP needs this process may have nothing. */
export function openXdp(after, options, name = b) {
  try {
    const socket = XdpSocket.open(name, { queues: 'all', ...options })
    after(() => socket.close())
    return socket
  } catch (error) {
    if (error.code === 'ERR_NETRING_PERMISSION') throw new Skip('XDP takes root in the first user namespace')
    throw error
  }
}

/** Sends frames out of an interface and waits until all have left. */
export async function send(frames, name = a) {
  const injector = Injector.open(name, { frameSize: 16_384, frameCount: 128 })
  try {
    await traffic.sendAll(injector, frames)
    assert.equal(injector.txStats().sent, frames.length)
  } finally {
    injector.close()
  }
}

/** The bytes of the next packets; fewer only if they do not come in time. */
export async function receive(source, count) {
  return (await traffic.receive(source, count, ARRIVAL_MS)).map(({ data }) => data)
}

/** Sends one frame and takes the batch that it comes in. */
export async function take(capture, injector, number) {
  await traffic.sendAll(injector, [frame(200, number)])
  await capture.readable({ signal: AbortSignal.timeout(ARRIVAL_MS) })
  return capture.nextBatch()
}

/** That two lists have the same bytes; says which frame differs first. */
export function same(got, wanted) {
  assert.equal(got.length, wanted.length)
  for (const [index, frame] of wanted.entries()) {
    if (frame.equals(got[index])) continue
    const at = frame.findIndex((byte, place) => byte !== got[index][place])
    assert.fail(`frame ${index} of ${frame.length} bytes: ${got[index].length} bytes, first difference at ${at}`)
  }
}

/** Waits until something has become true. */
export async function until(what, holds) {
  assert.ok(await traffic.until(holds, ARRIVAL_MS), `did not come: ${what}`)
}

/** Bytes a page, from how the kernel describes this process's memory. */
export function pageSize() {
  return Number(/^KernelPageSize:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/smaps', 'utf8'))[1]) * 1024
}

/** Packet sockets of this network namespace. */
export function packetSockets() {
  return readFileSync('/proc/self/net/packet', 'utf8').trim().split('\n').length - 1
}

/** Whether an interface takes everything. What a packet socket asks for is not among its flags in netlink; busybox has sysfs. */
export function promiscuous(name) {
  try {
    return !/promiscuity 0\b/.test(run('ip', '-d', 'link', 'show', name))
  } catch {
    return (Number(readFileSync(`/sys/class/net/${name}/flags`, 'utf8')) & 0x100) !== 0
  }
}

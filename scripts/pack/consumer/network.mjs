/** Both ends of the veth pair that scripts/pack/main.mjs has made, and what each check does with them. */
import { Capture, Injector } from 'netring'

export const ends = { a: 'va', b: 'vb' }

const ETHERTYPE = 0x88b5
const HEADER = 14

/** A ring that a few packets go round. */
export const tiny = { blockSize: 65536, blockCount: 4, blockTimeoutMs: 5, ignoreOutgoing: true }

export function openCapture(options) {
  return Capture.open(ends.b, { ...tiny, ...options })
}

export function openInjector(options) {
  return Injector.open(ends.a, { frameCount: 64, ...options })
}

/** A frame that its number can be read from, and whose every byte depends on it. */
export function frame(length, number) {
  const bytes = Buffer.alloc(length)
  for (let i = HEADER; i < length; i++) bytes[i] = (number * 31 + i * 7) & 0xff
  bytes.fill(0xff, 0, 6)
  bytes.set([2, 0, 0, 0, 0, 1], 6)
  bytes.writeUInt16BE(ETHERTYPE, 12)
  bytes.writeUInt32BE(number, HEADER)
  return bytes
}

export function numberOf(bytes) {
  return bytes.readUInt32BE(HEADER)
}

/** Sends frames and waits until they have left. */
export async function sendAll(injector, frames) {
  await injector.sendBatchAsync(frames)
  await injector.drained({ signal: AbortSignal.timeout(10_000) })
}

/** Sends one frame and takes the batch that it comes in. */
export async function take(capture, injector, number) {
  await sendAll(injector, [frame(200, number)])
  await capture.readable({ signal: AbortSignal.timeout(10_000) })
  return capture.nextBatch()
}

/** Copies of the next packets; fewer only if they do not come in time. */
export async function receive(source, count) {
  const packets = []
  const signal = AbortSignal.timeout(10_000)
  while (packets.length < count && !signal.aborted) {
    packets.push(...(await source.recv({ signal }).catch(() => [])))
  }
  return packets
}

/** The garbage collector, by the name that this runtime has for it. */
export const gc = globalThis.Bun === undefined ? globalThis.gc : () => globalThis.Bun.gc(true)

/** Lets finalizers run. */
export async function collect() {
  for (let turn = 0; turn < 10; turn++) {
    gc()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

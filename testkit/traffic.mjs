/** Sending through any sink, receiving from any source. */
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * @typedef {import('../src/index.js').PacketSource} PacketSource
 * @typedef {import('../src/index.js').PacketSink} PacketSink
 * @typedef {import('../src/index.js').OwnedPacket} OwnedPacket
 * @typedef {import('../src/index.js').Batch} Batch
 */

/** Of whatever the kernel or another process does. */
const LIMIT_MS = 10_000

/**
 * Sends frames and waits until they have left.
 *
 * @param {PacketSink} sink
 * @param {readonly Uint8Array[]} frames
 */
export async function sendAll(sink, frames) {
  await sink.sendBatchAsync(frames)
  await sink.drained({ signal: AbortSignal.timeout(LIMIT_MS) })
}

/**
 * Sends frames and returns the batch that holds them all. The ring's timer may hand a block over between two of them, on a
 * busy machine above all; then what came is taken out, and all are sent again.
 *
 * @param {PacketSink} sink
 * @param {PacketSource} source
 * @param {readonly Uint8Array[]} frames
 * @returns {Promise<Batch>}
 */
export async function sendAsOne(sink, source, frames) {
  for (let attempt = 0; attempt < 50; attempt++) {
    await sendAll(sink, frames)
    for (let missing = frames.length; missing > 0;) {
      await source.readable({ signal: AbortSignal.timeout(LIMIT_MS) })
      const batch = source.nextBatch()
      if (batch === undefined) throw new Error('no batch after readable()')
      if (batch.length > missing) throw new Error(`${batch.length} packets, ${missing} were missing`)
      if (batch.length === frames.length) return batch
      missing -= batch.length
      batch.release()
    }
  }
  throw new Error(`${frames.length} frames never came in one batch`)
}

/**
 * Waits until something is so; generous, because the kernel or another process makes it so. Whether it is.
 *
 * @param {() => boolean | Promise<boolean>} holds
 * @param {number} [timeoutMs]
 */
export async function until(holds, timeoutMs = LIMIT_MS) {
  const deadline = performance.now() + timeoutMs
  while (!(await holds())) {
    if (performance.now() >= deadline) return await holds()
    await sleep(2)
  }
  return true
}

/**
 * Waits until so many packets since open have passed the filter, in the ring or dropped. A frame that has left one end of
 * a veth pair waits for a softirq at the other, for long when the CPU is busy.
 *
 * @param {PacketSource} source
 * @param {number} count
 */
export async function arrived(source, count) {
  const seen = () => {
    const { packets, drops } = source.cumulativeStats()
    return packets + drops
  }
  if (!(await until(() => seen() >= count))) throw new Error(`${seen()} of ${count} frames arrived`)
}

/**
 * Owned copies of the next `count` packets; fewer only if they do not come in time.
 *
 * @param {PacketSource} source
 * @param {number} count
 * @param {number} [timeoutMs]
 */
export async function receive(source, count, timeoutMs = 5000) {
  /** @type {OwnedPacket[]} */
  const packets = []
  const signal = AbortSignal.timeout(timeoutMs)
  while (packets.length < count) {
    try {
      packets.push(...(await source.recv({ signal })))
    } catch (error) {
      if (signal.aborted) return packets
      throw error
    }
  }
  return packets
}

/**
 * As receive(), and what comes in a little time more: a packet too many would be seen.
 *
 * @param {PacketSource} source
 * @param {number} count
 * @param {number} [timeoutMs]
 */
export async function receiveNoMoreThan(source, count, timeoutMs) {
  return [...(await receive(source, count, timeoutMs)), ...(await receiveFor(source, 50))]
}

/**
 * Everything that comes until nothing has come for so long.
 *
 * @param {PacketSource} source
 * @param {number} milliseconds
 */
export async function receiveUntilSilent(source, milliseconds) {
  /** @type {OwnedPacket[]} */
  const packets = []
  for (;;) {
    const more = await receiveFor(source, milliseconds)
    if (more.length === 0) return packets
    packets.push(...more)
  }
}

/**
 * Packets that come within a time, for asserting that none does.
 *
 * @param {PacketSource} source
 * @param {number} milliseconds
 */
export async function receiveFor(source, milliseconds) {
  return receive(source, Infinity, milliseconds)
}

/**
 * What each of some sources got, once `count` packets have come to them together and no more come.
 *
 * @param {readonly PacketSource[]} sources
 * @param {number} count
 */
export async function shares(sources, count) {
  const got = sources.map(() => /** @type {OwnedPacket[]} */ ([]))
  const end = new AbortController()
  const signal = AbortSignal.any([end.signal, AbortSignal.timeout(8000)])
  let left = count
  await Promise.allSettled(
    sources.map(async (source, index) => {
      if (left <= 0) end.abort()
      for (;;) {
        const packets = await source.recv({ signal })
        got[index]?.push(...packets)
        left -= packets.length
        if (left <= 0) end.abort()
      }
    }),
  )
  // Some block timeouts more: a packet that comes twice comes now.
  const late = await Promise.all(sources.map((source) => receiveFor(source, 20)))
  return got.map((packets, index) => [...packets, ...(late[index] ?? [])])
}

/** Scenarios that receive: what is sent is what was seen and what was dropped, to the frame. */
import { Capture, ChannelCapture, XdpSocket } from '../../dist/index.js'
import { Order } from './order.mjs'
import { settled } from './settled.mjs'

/** One that overflows, and one that need not; neither has the size of a page of V8's heap (census.mjs). */
const rings = [
  { blockSize: 65_536, blockCount: 5 },
  { blockSize: 1 << 20, blockCount: 8 },
]

export function capture({ near, traffic, count, round }) {
  const options = { ...rings[round % rings.length], ignoreOutgoing: true, promiscuous: true, blockTimeoutMs: 2 }
  return receiveAll(Capture.open(near.source, options), traffic, count, round % 4 === 3)
}

export function xdp({ near, traffic, count, round }) {
  const attach = ['native', 'skb'][round % 2]
  return receiveAll(XdpSocket.open(near.source, { attach, frameCount: 1024 }), traffic, count)
}

async function receiveAll(source, traffic, count, escapes = false) {
  const order = new Order()
  let moved
  const reading = (async () => {
    for await (const batch of source) {
      for (const packet of batch) order.take(packet.data)
      // Bytes that escape (Node 22 and newer) keep their block: the ring stops there and drops, until they are collected.
      if (escapes && moved === undefined) moved = batch.buffer.buffer.transfer?.()
      batch.release()
    }
  })()
  const sent = await traffic.send(count)
  const now = () => ({ ...source.cumulativeStats(), seen: order.seen })
  await settled(reading, now, ({ packets, drops, seen }) => packets + drops === sent && seen === packets)
  const { seen, drops } = now()
  source.close()
  await reading
  if (moved !== undefined && moved.byteLength === 0) throw new Error('bytes that had been moved away are gone')
  return { sent, seen, dropped: drops }
}

export async function channel({ near, traffic, count, round }) {
  const whenFull = ['block', 'dropOldest', 'dropNewest'][round % 3]
  const options = { ...rings[0], ignoreOutgoing: true, blockTimeoutMs: 2, capacity: 512, whenFull }
  const source = ChannelCapture.open(near.source, options)
  const order = new Order()
  const reading = (async () => {
    for await (const packet of source) order.take(packet.data)
  })()
  const sent = await traffic.send(count)
  const now = () => ({ ...source.cumulativeStats(), overflowed: source.overflowed, seen: order.seen })
  await settled(reading, now, ({ packets, drops, overflowed, seen }) => {
    return packets + drops === sent && seen + overflowed === packets
  })
  const { seen, drops, overflowed } = now()
  source.close()
  await reading
  return { sent, seen, dropped: drops + overflowed }
}

/** Closed in the middle, with batches held and a wait pending: nothing is counted here, and nothing may be left. */
export async function closing({ near, traffic, count, xdpWorks }) {
  const opened = [
    () => Capture.open(near.source, { ...rings[0], promiscuous: true, blockTimeoutMs: 2 }),
    () => Capture.open(near.source, { ...rings[1], fanout: { group: 'unique', mode: 'hash' }, blockTimeoutMs: 2 }),
    ...(xdpWorks ? [() => XdpSocket.open(near.source, { frameCount: 64 })] : []),
  ]
  const sending = traffic.send(count)
  let seen = 0
  for (const open of opened) {
    for (let times = 0; times < 5; times++) {
      const source = open()
      await source.readable({ signal: AbortSignal.timeout(100) }).catch(() => undefined)
      const held = source.nextBatch()
      const view = held?.at(0)?.data
      const waiting = source.readable().catch(({ code }) => code)
      seen += held?.length ?? 0
      source.close()
      const ended = await waiting
      if (ended !== undefined && ended !== 'ERR_NETRING_CLOSED') throw new Error(`a wait ended with ${ended}`)
      if (view !== undefined && view.length !== 0) throw new Error('a view is not empty after close()')
    }
  }
  await sending
  return { sent: 0, seen: 0, dropped: 0, passing: seen }
}

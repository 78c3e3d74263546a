/** Scenarios that send and forward: what the other host receives is what left, to the frame. */
import { Bridge, Injector } from '../../dist/index.js'
import { sendAll } from '../../testkit/traffic.mjs'
import { arrivedAtTarget } from './network.mjs'
import { framesFrom } from './order.mjs'
import { settled } from './settled.mjs'

export async function injector({ near, count, round }) {
  const before = arrivedAtTarget()
  const sink = Injector.open(near.target, { frameCount: 128, qdiscBypass: round % 2 === 1 })
  for (let number = 0; number < count; number += 128) {
    await sendAll(sink, framesFrom(number, Math.min(128, count - number)))
  }
  const now = () => ({ ...sink.txStats(), seen: arrivedAtTarget() - before })
  await settled(undefined, now, ({ sent, seen }) => sent === count && seen === count)
  // Slots and queued frames that never leave.
  const slot = sink.allocate(60)
  sink.send(framesFrom(0, 1)[0])
  sink.close()
  if (slot.data.length !== 0) throw new Error('a slot is not empty after close()')
  return { sent: count, seen: count, dropped: 0 }
}

/** Behind a native thread and behind a hook, in turns. */
export async function bridge({ near, traffic, count, round }) {
  const before = arrivedAtTarget()
  let packets = 0
  const hook = { onPacket: () => (packets++ % 3 === 0 ? 'drop' : 'forward') }
  const forwarder = Bridge.open(near.source, near.target, round % 2 === 0 ? {} : hook)
  const running = forwarder.run()
  const sent = await traffic.send(count)
  const now = () => ({ ...forwarder.stats().aToB, seen: arrivedAtTarget() - before })
  await settled(running, now, (stats) => {
    const { received, kernelDrops, forwarded, dropped, tooLarge, ringFull, rejected, pending, seen } = stats
    const accounted = forwarded + dropped + tooLarge + ringFull + rejected
    return pending === 0 && received + kernelDrops === sent && accounted === received && seen === forwarded
  })
  const { seen } = now()
  forwarder.close()
  await running
  return { sent, seen, dropped: sent - seen }
}

/** What comes in at one side leaves at the other, byte for byte and in order, and is counted. */
import test, { type ExecutionContext } from 'ava'
import { bridged, bridgeOn, engines, listener, running, unaccounted } from '../helpers/bridged.js'
import { everyKind, frame, hex, inner, numbered, numbers, outer, tagged, upTo } from '../../testkit/frames.mjs'
import { testThatNeeds, tcpdump } from '../helpers/needs.js'
import { record } from '../helpers/tcpdump.js'
import { injectorOn, receive, receiveNoMoreThan, sendAll } from '../helpers/traffic.js'

for (const [how, options] of engines) {
  test.serial(`frames of every kind pass byte for byte through ${how}, in both directions`, async (t) => {
    const hosts = bridged(t, { mtu: 65_000 })
    const [fromA, fromB] = [listener(t, hosts.b), listener(t, hosts.a)]
    running(t, bridgeOn(t, hosts, options))
    const injectorOptions = { frameSize: 65_536, frameCount: 64 }
    const frames = everyKind()
    await sendAll(injectorOn(t, hosts.a, injectorOptions), frames)
    t.deepEqual(hex((await receiveNoMoreThan(fromA, frames.length)).map(({ data }) => data)), hex(frames))
    const others = frames.toReversed()
    t.is(fromB.stats().packets, 0, 'nothing comes back')
    await sendAll(injectorOn(t, hosts.b, injectorOptions), others)
    t.deepEqual(hex((await receiveNoMoreThan(fromB, others.length)).map(({ data }) => data)), hex(others))
  })

  test.serial(`both directions are counted through ${how}`, async (t) => {
    const hosts = bridged(t)
    const [fromA, fromB] = [listener(t, hosts.b), listener(t, hosts.a)]
    const bridge = bridgeOn(t, hosts, options)
    running(t, bridge)
    const [there, back] = await Promise.all([
      receive(fromA, 5000),
      receive(fromB, 3000),
      sendAll(injectorOn(t, hosts.a), numbered(5000)),
      sendAll(injectorOn(t, hosts.b), numbered(3000)),
    ])
    const { aToB, bToA } = bridge.stats()
    t.deepEqual([there.length, back.length], [5000, 3000])
    t.deepEqual(numbers(there), upTo(5000), 'in order')
    t.deepEqual(numbers(back), upTo(3000), 'in order')
    t.like(aToB, { received: 5000, forwarded: 5000, pending: 0, kernelDrops: 0 })
    t.like(bToA, { received: 3000, forwarded: 3000, pending: 0, kernelDrops: 0 })
    t.is(unaccounted(aToB) + unaccounted(bToA), 0)
  })
}

testThatNeeds(tcpdump, 'tagged frames arrive as tcpdump sees them', async (t: ExecutionContext) => {
  const hosts = bridged(t)
  running(t, bridgeOn(t, hosts))
  const frames = [
    tagged(60, inner),
    tagged(1500, inner),
    tagged(60, outer, inner),
    tagged(1400, outer, inner),
    frame(99),
  ]
  const seen = await record(t, hosts.b, frames.length)
  await sendAll(injectorOn(t, hosts.a), frames)
  t.deepEqual(await seen.frames(), hex(frames))
})

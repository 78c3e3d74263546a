/** Nothing is lost without being counted. */
import test from 'ava'
import { frame, numberOf, upTo } from '../../testkit/frames.mjs'
import { network, received } from '../helpers/network.js'
import { captureOn, injectorOn, receive, receiveUntilSilent, sendAll } from '../helpers/traffic.js'

test.serial('what a ring cannot hold is counted: sent = seen + dropped', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockSize: 65536, blockCount: 2 })
  const injector = injectorOn(t, a)
  const sent = 5000
  await sendAll(
    injector,
    Array.from({ length: sent }, (_, number) => frame(200, number)),
  )
  // On a busy machine the kernel's queue behind a veth (netdev_max_backlog) may be full: what it drops never came here.
  const arrived = received(b)
  const numbersSeen: number[] = []
  let losing = false
  // Without looking at the statistics: reading them is what ends `losing`.
  for (const packet of await receiveUntilSilent(capture, 200)) {
    numbersSeen.push(numberOf(packet.data))
    losing ||= packet.losing
  }
  const seen = numbersSeen.length
  if (arrived === sent) t.deepEqual(numbersSeen, upTo(seen), 'what is seen is the beginning, in order')
  else t.true(numbersSeen.every((number, index) => index === 0 || number > numbersSeen[index - 1]!))
  const { packets, drops, freezeCount } = capture.cumulativeStats()
  t.is(packets, seen)
  t.is(seen + drops, arrived)
  t.true(drops > 0 && freezeCount > 0)
  await sendAll(injector, [frame(60, 1)])
  const [next] = await receive(capture, 1)
  t.is(next === undefined ? undefined : numberOf(next.data), 1, 'the ring goes on')
  t.true(losing || next?.losing, 'the first packet after the gap says so')
  t.is(capture.cumulativeStats().packets, seen + 1)
})

test.serial('stats() and cumulativeStats() do not disturb each other', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  await sendAll(injector, [frame(60), frame(60)])
  await receive(capture, 2)
  t.is(capture.cumulativeStats().packets, 2)
  t.is(capture.stats().packets, 2)
  t.is(capture.stats().packets, 0)
  await sendAll(injector, [frame(60)])
  await receive(capture, 1)
  t.is(capture.cumulativeStats().packets, 3)
  t.is(capture.cumulativeStats().packets, 3)
  t.is(capture.stats().packets, 1)
})

test.serial('a blocked event loop loses nothing that the ring can hold', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockCount: 32, blockTimeoutMs: 100 })
  const injector = injectorOn(t, a, { frameCount: 8192 })
  injector.sendBatch(Array.from({ length: 8000 }, (_, number) => frame(100, number)))
  t.is(injector.flush(), 8000)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
  t.is((await receive(capture, 8000)).length, 8000)
  t.is(capture.stats().drops, 0)
})

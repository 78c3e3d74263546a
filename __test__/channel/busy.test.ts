/** An event loop that stands still, and what becomes of packets meanwhile. */
import test from 'ava'
import { block, channelOn, drained, receiveMany } from '../helpers/channel.js'
import { flood } from '../helpers/child.js'
import { ETHERTYPE, numbers, numbered, upTo } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { injectorOn, sendAll } from '../helpers/traffic.js'

test.serial('a loop that is blocked for two seconds loses nothing that the queue can hold', async (t) => {
  const { a, b } = network(t)
  // The ring takes 13 000 frames, far fewer than come in two seconds.
  const channel = channelOn(t, b, { blockSize: 65536, blockCount: 32 })
  const traffic = await flood(t, a, [ETHERTYPE])
  const started = performance.now()
  while (performance.now() - started < 2000) block(2000)
  const before = channel.queued
  const sent = await traffic.stop()
  await drained(channel, sent)
  t.log(`${before} packets queued while blocked, ${sent} sent`)
  t.deepEqual(numbers(await receiveMany(channel, sent)), upTo(sent))
  t.true(sent > 16_000, `${sent} frames would have fitted into the ring`)
  t.deepEqual(channel.cumulativeStats(), { packets: sent, drops: 0, freezeCount: 0 })
  t.is(channel.overflowed, 0)
})

test.serial('packets that came while it was blocked wake it once, and are all there', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b)
  const waiting = channel.recvMany(100_000)
  const injector = injectorOn(t, a)
  injector.sendBatch(numbered(500))
  injector.flush()
  block(200)
  const first = await waiting
  await sendAll(injector, numbered(10, 500))
  const rest = await receiveMany(channel, 510 - first.length)
  t.deepEqual(numbers([...first, ...rest]), upTo(510))
})

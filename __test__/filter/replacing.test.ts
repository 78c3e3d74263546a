/** A filter that is replaced or taken away: no packet of the one before is seen, none of the next is lost. */
import test from 'ava'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { flood } from '../helpers/child.js'
import { OTHER, first, second, typed, types } from '../helpers/ethertypes.js'
import { ETHERTYPE, frame, numberOf, upTo } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { arrived, captureOn, injectorOn, receive, receiveFor, sendAll, sendAsOne } from '../helpers/traffic.js'

test.serial('setFilter() under traffic: no packet of the old filter is seen once it has returned', async (t) => {
  const { a, b } = network(t)
  await flood(t, a, [ETHERTYPE, OTHER])
  const capture = captureOn(t, b, { filter: first(), blockCount: 64 })
  for (let round = 1; round <= 12; round++) {
    await sleep(20)
    capture.setFilter(round % 2 === 0 ? first() : second())
    const packets = await receive(capture, 300)
    t.true(packets.length >= 300)
    t.deepEqual(types(packets), [round % 2 === 0 ? ETHERTYPE : OTHER], `round ${round}`)
  }
})

test.serial(
  'setFilter() discards what is in the ring, the open block included; what comes after arrives, all of it',
  async (t) => {
    const { a, b } = network(t)
    const injector = injectorOn(t, a)
    // 60 frames of 1500 bytes: one block full, one open for a long time.
    const capture = captureOn(t, b, { blockSize: 65536, blockCount: 16, blockTimeoutMs: 300, filter: first() })
    let passed = 0
    for (let round = 0; round < 4; round++) {
      const [old, next] = round % 2 === 0 ? [ETHERTYPE, OTHER] : [OTHER, ETHERTYPE]
      await sendAll(
        injector,
        upTo(60).map((number) => typed(old, number, 1500)),
      )
      passed += 60
      await arrived(capture, passed)
      capture.setFilter(round % 2 === 0 ? second() : first())
      const after = upTo(70)
      await sendAll(
        injector,
        after.flatMap((number) => [typed(next, number, 1500), typed(old, number, 1500)]),
      )
      passed += after.length
      const packets = await receive(capture, after.length)
      t.deepEqual(types(packets), [next])
      t.deepEqual(
        packets.map(({ data }) => numberOf(data)),
        after,
      )
      t.deepEqual(await receiveFor(capture, 400), [])
    }
    t.is(capture.cumulativeStats().drops, 0)
  },
)

test.serial('packets that both filters let in and that were in the ring are discarded with the rest', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const capture = captureOn(t, b)
  await sendAll(injector, [frame(60, 1)])
  await arrived(capture, 1)
  capture.setFilter(first())
  await sendAll(injector, [frame(60, 2)])
  const packets = await receive(capture, 1)
  t.deepEqual(
    packets.map(({ data }) => numberOf(data)),
    [2],
  )
})

test.serial('a batch that is held keeps its packets through setFilter()', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const capture = captureOn(t, b)
  const batch = await sendAsOne(injector, capture, [frame(60, 1), frame(60, 2)])
  await sendAll(injector, [frame(60, 3)])
  capture.setFilter(second())
  t.deepEqual(
    [...batch].map(({ data }) => numberOf(data)),
    [1, 2],
  )
  batch.release()
  await sendAll(injector, [typed(OTHER, 4), frame(60, 5)])
  const packets = await receive(capture, 1)
  t.deepEqual(
    packets.map(({ data }) => numberOf(data)),
    [4],
  )
})

test.serial('a reader that waits is not woken by what the new filter refuses', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const capture = captureOn(t, b, { filter: second() })
  let woken = false
  const wait = capture.readable({ signal: AbortSignal.timeout(5000) }).then(() => (woken = true))
  await sendAll(injector, [frame(60, 1)])
  await sleep(50)
  t.false(woken)
  capture.setFilter(first())
  await sendAll(injector, [frame(60, 2)])
  await wait
  const packets = await receive(capture, 1)
  t.deepEqual(
    packets.map(({ data }) => numberOf(data)),
    [2],
  )
})

test.serial('detachFilter() lets everything in from then on', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const capture = captureOn(t, b, { filter: second() })
  await sendAll(injector, [frame(60, 1), typed(OTHER, 2)])
  await arrived(capture, 1)
  capture.detachFilter()
  await sendAll(injector, [frame(60, 3), typed(OTHER, 4)])
  t.deepEqual(
    (await receive(capture, 2)).map(({ data }) => numberOf(data)),
    [3, 4],
  )
  capture.detachFilter()
  await sendAll(injector, [frame(60, 5)])
  t.deepEqual(
    (await receive(capture, 1)).map(({ data }) => numberOf(data)),
    [5],
    'with none to detach',
  )
})

test.serial('detachFilter() keeps snapLen', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { filter: second(), snapLen: 20 })
  capture.detachFilter()
  await sendAll(injectorOn(t, a), [frame(60, 3)])
  const [packet] = await receive(capture, 1)
  t.is(packet?.length, 20)
  t.is(packet?.originalLength, 60)
})

test.serial('a stream goes on through setFilter()', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const capture = captureOn(t, b, { filter: first() })
  const stream = capture.stream({ signal: AbortSignal.timeout(5000) })
  const next = async (): Promise<number> => {
    const [packet] = (await once(stream, 'data')) as [{ data: Buffer }]
    return numberOf(packet.data)
  }
  let packet = next()
  await sendAll(injector, [frame(60, 1)])
  t.is(await packet, 1)
  capture.setFilter(second())
  packet = next()
  await sendAll(injector, [frame(60, 2), typed(OTHER, 3)])
  t.is(await packet, 3)
  stream.on('error', () => undefined).destroy()
})

/** After release and close everything made from a batch or a slot is empty. */
import test from 'ava'
import type { Batch, Capture } from '../../src/index.js'
import { frame, numberOf } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { captureOn, injectorOn, receive, sendAll } from '../helpers/traffic.js'
import { RELEASED, assertOver, collect, fields, numbersOf, take, tiny, viewsOf } from '../helpers/views.js'

for (const [how, end] of [
  [
    'release()',
    (batch: Batch) => {
      batch.release()
    },
  ],
  [
    'close()',
    (_: Batch, capture: Capture) => {
      capture.close()
    },
  ],
] as const) {
  test(`after ${how} every view is empty and every field throws`, async (t) => {
    const { a, b } = network(t)
    const capture = captureOn(t, b, tiny)
    const batch = await take(capture, injectorOn(t, a), 1, 2, 3)
    const views = viewsOf(batch)
    const packets = [...batch]
    const copies = batch.copy()
    t.true(views.every((view) => view.length > 0))
    end(batch, capture)
    for (const view of views) t.is(view.length, 0)
    assertOver(t, batch)
    for (const packet of packets) {
      for (const field of fields) t.throws(() => packet[field], RELEASED, field)
      t.throws(() => packet.copy(), RELEASED)
    }
    t.deepEqual(
      copies.map((packet) => numberOf(packet.data)),
      [1, 2, 3],
    )
    t.deepEqual(
      copies.map((packet) => packet.length),
      [200, 200, 200],
    )
  })

  test(`after ${how} columns, buffer and packets that were never asked for are empty too`, async (t) => {
    const { a, b } = network(t)
    const capture = captureOn(t, b, tiny)
    const batch = await take(capture, injectorOn(t, a), 1)
    const packet = batch.at(0)
    end(batch, capture)
    assertOver(t, batch)
    for (const field of fields) t.throws(() => packet?.[field], RELEASED, field)
  })
}

test('after close() slots are empty and cannot be sent', async (t) => {
  const { a } = network(t)
  const injector = injectorOn(t, a, { frameCount: 8 })
  const [sent, discarded, open] = [injector.allocate(60), injector.allocate(60), injector.allocate(60)]
  const views = [sent, discarded, open].map((slot) => slot?.data)
  for (const view of views) {
    t.is(view?.length, 60)
    frame(60, 1).copy(view ?? Buffer.alloc(0))
  }
  sent?.send()
  t.is(views[0]?.length, 0)
  discarded?.discard()
  discarded?.discard()
  t.is(views[1]?.length, 0)
  t.is(views[2]?.length, 60)
  for (const slot of [sent, discarded]) {
    t.is(slot?.data.length, 0)
    t.throws(() => {
      slot?.send()
    }, RELEASED)
    t.throws(() => {
      slot?.setLength(20)
    }, RELEASED)
    slot?.discard()
  }
  await injector.drained()
  injector.close()
  for (const view of views) t.is(view?.length, 0)
  t.is(open?.data.length, 0)
  t.throws(
    () => {
      open?.send()
    },
    { code: 'ERR_NETRING_CLOSED' },
  )
  open?.discard()
})

test('releasing twice and `using` are harmless', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, tiny)
  const injector = injectorOn(t, a)
  for (let number = 0; number < 20; number++) {
    const first = await take(capture, injector, number)
    {
      using batch = first
      t.deepEqual(numbersOf(batch), [number])
      if (number % 2 === 0) batch.release()
    }
    t.true(first.released)
    first.release()
  }
  const held = await take(capture, injector, 20)
  const other = await take(capture, injector, 21)
  held.release()
  held.release()
  t.deepEqual(numbersOf(other), [21], 'a second release gives no other batch back')
  capture.close()
  other.release()
  other[Symbol.dispose]()
  t.true(other.released)
})

test('releasing inside an iteration ends it', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, tiny)
  const injector = injectorOn(t, a)
  for (const end of [
    (batch: Batch) => {
      batch.release()
    },
    () => {
      capture.close()
    },
  ]) {
    const batch = await take(capture, injector, 1, 2, 3)
    const seen: number[] = []
    for (const packet of batch) {
      seen.push(numberOf(packet.data))
      if (seen.length === 2) end(batch)
    }
    t.deepEqual(seen, [1, 2])
  }
})

test.serial('after close() with live views another capture receives, and nothing of it is seen in them', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const views: ArrayLike<number>[] = []
  for (let times = 0; times < 20; times++) {
    const capture = captureOn(t, b, tiny)
    const batch = await take(capture, injector, times, times)
    t.deepEqual(numbersOf(batch), [times, times])
    views.push(...viewsOf(batch))
    capture.close()
    Buffer.alloc(1 << 20, 0xff)
    t.true(views.every((view) => view.length === 0))
  }
  await collect()
  const capture = captureOn(t, b, tiny)
  await sendAll(injector, [frame(60, 5)])
  t.deepEqual(
    (await receive(capture, 1)).map((packet) => numberOf(packet.data)),
    [5],
  )
})

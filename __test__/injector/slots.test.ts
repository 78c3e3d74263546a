/** Slots: filled in place, sent in any order, discarded without a trace. */
import test from 'ava'
import { setTimeout as sleep } from 'node:timers/promises'
import { NetringError } from '../../src/index.js'
import { frame, numbers, upTo } from '../../testkit/frames.mjs'
import { network, received } from '../helpers/network.js'
import { captureOn, injectorOn, receive, receiveFor, sendAll } from '../helpers/traffic.js'

test.serial(
  'slots leave in the order of sending, whatever the order of allocation, past those discarded',
  async (t) => {
    const { a, b } = network(t)
    const capture = captureOn(t, b, { blockSize: 65536, blockCount: 64, blockTimeoutMs: 50 })
    const injector = injectorOn(t, a, { frameCount: 16 })
    const order: number[] = []
    let number = 0
    for (let round = 0; round < 20; round++) {
      const slots = upTo(16).map(() => {
        const slot = injector.allocate(60)!
        frame(60, number).copy(slot.data)
        return { slot, number: number++ }
      })
      t.is(injector.availableSlots, 0)
      const mixed = slots.map((entry, index) => slots[(index * 5 + round) % 16] ?? entry)
      for (const [index, entry] of mixed.entries()) {
        if ((index + round) % 3 === 0) {
          entry.slot.discard()
        } else {
          entry.slot.send()
          order.push(entry.number)
        }
      }
      injector.flush()
      await injector.drained()
      t.is(injector.availableSlots, 16)
    }
    t.deepEqual(numbers(await receive(capture, order.length)), order)
    t.is(received(b), order.length)
  },
)

test.serial('thousands of slots filled and discarded do not stop the ring', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockSize: 65536, blockCount: 64, blockTimeoutMs: 50 })
  const injector = injectorOn(t, a, { frameCount: 8 })
  for (let number = 0; number < 5000; number++) {
    using slot = injector.allocate(60)
    t.not(slot, undefined)
    frame(60, 0xffff).copy(slot!.data)
    if (number % 500 === 0) {
      injector.send(frame(60, number))
      injector.flush()
    }
  }
  t.is(injector.availableSlots, 8)
  await sendAll(injector, [frame(60, 5000)])
  t.deepEqual(numbers(await receive(capture, 11)), [0, 500, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 4500, 5000])
  t.is(received(b), 11)
})

test.serial('setLength() makes a frame longer or shorter, up to the capacity, and keeps its bytes', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a, { frameSize: 1514 })
  const sent = frame(1000, 1)
  for (const length of [60, 14, 1000]) {
    const slot = injector.allocate(600)!
    t.is(slot.data.length, 600)
    sent.copy(slot.data)
    slot.setLength(length)
    t.is(slot.data.length, length)
    sent.copy(slot.data)
    t.throws(
      () => {
        slot.setLength(1515)
      },
      { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' },
    )
    t.throws(
      () => {
        slot.setLength(-1)
      },
      { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE' },
    )
    slot.send()
  }
  injector.flush()
  const packets = await receive(capture, 3)
  t.deepEqual(
    packets.map(({ data }) => data.toString('hex')),
    [60, 14, 1000].map((length) => sent.toString('hex', 0, length)),
  )
})

test.serial('a slot is over once it is sent or discarded', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a, { frameCount: 4 })
  const sent = injector.allocate(60)!
  const { data } = sent
  frame(60, 1).copy(data)
  sent.send()
  t.is(data.length, 0, 'the view that was held')
  t.is(sent.data.length, 0)
  t.throws(
    () => {
      sent.send()
    },
    { instanceOf: NetringError, code: 'ERR_NETRING_RELEASED' },
  )
  t.throws(
    () => {
      sent.setLength(20)
    },
    { code: 'ERR_NETRING_RELEASED' },
  )
  sent.discard()
  sent.discard()
  t.is(injector.pendingCount, 1, 'discard() after send() takes nothing back')
  const discarded = injector.allocate(60)!
  discarded.discard()
  discarded.discard()
  t.is(discarded.data.length, 0)
  t.throws(
    () => {
      discarded.send()
    },
    { code: 'ERR_NETRING_RELEASED' },
  )
  t.is(injector.availableSlots, 3)
  await injector.drained()
  t.is(received(b), 1)
})

test.serial('a slot too short for its header stays usable', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  const slot = injector.allocate(13)!
  t.throws(
    () => {
      slot.send()
    },
    { instanceOf: NetringError, code: 'ERR_NETRING_FRAME', message: /13 bytes.*14 bytes/ },
  )
  slot.setLength(60)
  frame(60, 8).copy(slot.data)
  slot.send()
  await injector.drained()
  t.deepEqual(numbers(await receive(capture, 1)), [8])
})

test.serial('allocate() beyond the capacity is a RangeError', (t) => {
  const { a } = network(t)
  const injector = injectorOn(t, a, { frameSize: 100, frameCount: 2 })
  t.is(injector.frameCapacity, 100)
  t.is(injector.frameCount, 2)
  t.throws(() => injector.allocate(101), { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE', message: /length.*100/ })
  t.is(injector.availableSlots, 2)
  t.is(injector.allocate(100)?.data.length, 100)
})

test.serial('close() with queued frames and live slots sends nothing and empties the slots', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  const slot = injector.allocate(60)!
  const untouched = injector.allocate(60)!
  const { data } = slot
  frame(60, 1).copy(data)
  injector.sendBatch([frame(60, 2), frame(60, 3)])
  let closes = 0
  injector.on('close', () => closes++)
  injector.close()
  t.true(injector.closed)
  t.is(data.length, 0)
  t.is(slot.data.length, 0)
  t.is(untouched.data.length, 0)
  const closed = { instanceOf: NetringError, code: 'ERR_NETRING_CLOSED' } as const
  t.throws(() => {
    slot.send()
  }, closed)
  t.throws(() => {
    slot.setLength(14)
  }, closed)
  slot.discard()
  for (const call of [
    () => injector.send(frame(60)),
    () => injector.sendBatch([frame(60)]),
    () => injector.allocate(60),
    () => injector.flush(),
    () => injector.waitDrained(0),
    () => injector.availableSlots,
  ]) {
    t.throws(call, closed)
  }
  t.deepEqual(injector.txStats(), { sent: 0, rejected: 0, pending: 2, bytes: 0 })
  await t.throwsAsync(injector.drained(), closed)
  await t.throwsAsync(injector.sendAsync(frame(60)), closed)
  await t.throwsAsync(injector.sendBatchAsync([frame(60)]), closed)
  injector.close()
  await sleep(0)
  t.is(closes, 1)
  t.deepEqual(await receiveFor(capture, 100), [])
  t.is(received(b), 0)
})

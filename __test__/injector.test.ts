/** What is sent arrives: bytes, order, counts; and a sink that cannot go on says so and waits without blocking. */
import test from 'ava'
import { once } from 'node:events'
import { constants } from 'node:os'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { NetringError, type Injector } from '../src/index.js'
import { frame, numberOf, tagged } from './helpers/frames.js'
import { tcpdump, testThatNeeds } from './helpers/needs.js'
import { network, received, setUp, type End } from './helpers/network.js'
import { record } from './helpers/tcpdump.js'
import { captureOn, injectorOn, receive, receiveFor, sendAll } from './helpers/traffic.js'

const outer = { tpid: 0x88a8, tci: 0x6001 }
const inner = { tpid: 0x8100, tci: 0x2fff }

/** Frames of every kind: the smallest, a full one, jumbo, tagged. */
function everyKind(): Buffer[] {
  const sizes = [14, 15, 60, 61, 1500, 1514, 9000, 9014, 65_000]
  return [
    ...sizes.map((size, number) => frame(size, number)),
    tagged(60, inner),
    tagged(1500, inner),
    tagged(60, outer, inner),
    tagged(9000, outer, inner),
  ]
}

const hex = (frames: readonly Uint8Array[]): string[] => frames.map((bytes) => Buffer.from(bytes).toString('hex'))
const numbers = (packets: readonly { readonly data: Buffer }[]): number[] => packets.map(({ data }) => numberOf(data))
const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number)

/** Lets bytes out slowly; about 5 frames of 1000 bytes pass at once. */
function shape(at: End, rate: string): void {
  at.run('tc', 'qdisc', 'add', 'dev', at.name, 'root', 'tbf', 'rate', rate, 'burst', '5kb', 'limit', '200kb')
}

const queue: Record<string, (injector: Injector, frames: readonly Buffer[]) => void> = {
  'send()': (injector, frames) => {
    for (const bytes of frames) injector.send(bytes)
  },
  'sendBatch() of an array': (injector, frames) => {
    injector.sendBatch(frames)
  },
  'sendBatch() of one buffer': (injector, frames) => {
    const stride = 65_600
    const bytes = Buffer.alloc(stride * frames.length)
    for (const [index, one] of frames.entries()) one.copy(bytes, index * stride)
    injector.sendBatch(
      bytes,
      Uint32Array.from(frames, ({ length }) => length),
      stride,
    )
  },
  slots: (injector, frames) => {
    for (const bytes of frames) {
      const slot = injector.allocate(bytes.length)
      bytes.copy(slot!.data)
      slot!.send()
    }
  },
}

for (const [way, put] of Object.entries(queue)) {
  test.serial(`frames of every size and kind arrive byte for byte and in order: ${way}`, async (t) => {
    const { a, b } = network(t, { mtu: 65535 })
    const capture = captureOn(t, b)
    const injector = injectorOn(t, a, { frameSize: 65_549, frameCount: 32 })
    const frames = everyKind()
    put(injector, frames)
    t.is(injector.pendingCount, frames.length)
    t.is(received(b), 0, 'nothing leaves before flush()')
    t.is(injector.flush(), frames.length)
    await injector.drained({ signal: AbortSignal.timeout(5000) })
    const packets = await receive(capture, frames.length)
    t.deepEqual(hex(packets.map(({ data }) => data)), hex(frames))
    t.is(received(b), frames.length)
    t.deepEqual(injector.txStats(), {
      sent: frames.length,
      rejected: 0,
      pending: 0,
      bytes: frames.reduce((sum, { length }) => sum + length, 0),
    })
  })
}

testThatNeeds(tcpdump, 'tcpdump at the far end sees the bytes that were sent', async (t) => {
  const { a, b } = network(t, { mtu: 65535 })
  const frames = everyKind()
  const recording = await record(t, b, frames.length)
  await sendAll(injectorOn(t, a, { frameSize: 65_549, frameCount: 32 }), frames)
  t.deepEqual(await recording.frames(), hex(frames))
})

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

test.serial('a full ring refuses and says so; flush() makes room', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a, { frameCount: 4 })
  t.is(injector.flush(), 0)
  t.is(injector.sendBatch(upTo(6).map((number) => frame(60, number))), 4)
  t.is(injector.availableSlots, 0)
  t.false(injector.send(frame(60, 99)))
  t.is(injector.sendBatch([frame(60, 99)]), 0)
  t.is(injector.sendBatch(frame(60, 99), [60], 60), 0)
  t.is(injector.allocate(60), undefined)
  t.is(injector.flush(), 4)
  t.is(injector.availableSlots, 4)
  const held = injector.allocate(60)!
  const packed = Buffer.concat(upTo(6).map((number) => frame(60, number + 4)))
  t.is(injector.sendBatch(packed, new Uint32Array(6).fill(60), 60), 3)
  t.is(injector.flush(), 3)
  held.discard()
  t.is(injector.flush(), 0)
  t.deepEqual(numbers(await receive(capture, 7)), upTo(7))
})

test.serial('a frame too long for the MTU is rejected with its reason; those around it arrive', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  const reasons: NetringError[] = []
  injector.on('rejected', (reason) => reasons.push(reason))
  injector.sendBatch([frame(60, 1), frame(1600, 2), frame(1514, 3), frame(1700, 4), frame(2048, 5), frame(60, 6)])
  t.is(injector.flush(), 3)
  await injector.drained()
  t.is(injector.rejectedSlots, 3)
  t.is(injector.availableSlots, injector.frameCount)
  t.deepEqual(numbers(await receive(capture, 3)), [1, 3, 6])
  t.is(reasons.length, 3)
  for (const [index, length] of [1600, 1700, 2048].entries()) {
    const reason = reasons[index]!
    t.true(reason instanceof NetringError)
    t.is(reason.code, 'ERR_NETRING_FRAME')
    t.is(reason.errno, constants.errno.EMSGSIZE)
    t.is(reason.interface, a.name)
    t.regex(reason.message, new RegExp(`\\b${String(length)}\\b.*\\b1500\\b`))
  }
  t.deepEqual(injector.txStats(), { sent: 3, rejected: 3, pending: 0, bytes: 60 + 1514 + 60 })
  t.is(received(b), 3)
})

test.serial("onMalformed 'stop': flush() throws at a refused frame and goes on behind it next time", async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a, { onMalformed: 'stop' })
  const events: NetringError[] = []
  injector.on('rejected', (reason) => events.push(reason))
  injector.sendBatch([frame(60, 1), frame(1600, 2), frame(60, 3), frame(60, 4)])
  t.throws(() => injector.flush(), {
    instanceOf: NetringError,
    code: 'ERR_NETRING_FRAME',
    message: /1600.*1500/,
  })
  t.is(injector.rejectedSlots, 1)
  t.deepEqual(numbers(await receive(capture, 1)), [1])
  t.is(injector.flush(), 2)
  t.deepEqual(numbers(await receive(capture, 2)), [3, 4])
  t.deepEqual(injector.txStats(), { sent: 3, rejected: 1, pending: 0, bytes: 180 })
  injector.send(frame(1600))
  await t.throwsAsync(injector.drained(), { code: 'ERR_NETRING_FRAME' })
  injector.send(frame(1600))
  t.throws(() => injector.waitDrained(1000), { code: 'ERR_NETRING_FRAME' })
  t.deepEqual(events, [])
})

test.serial(
  'frames too short or too long to queue throw, name their place in a batch, and queue nothing',
  async (t) => {
    const { a, b } = network(t)
    const injector = injectorOn(t, a, { frameSize: 1000 })
    const wrong = { instanceOf: NetringError, code: 'ERR_NETRING_FRAME' } as const
    for (const length of [0, 13]) {
      const short = Buffer.alloc(length)
      t.throws(() => injector.send(short), { ...wrong, message: new RegExp(`${String(length)} bytes.*14 bytes`) })
      t.throws(() => injector.sendBatch([frame(60), frame(60), short]), { ...wrong, message: /frame 2\b/ })
      t.throws(() => injector.sendBatch(Buffer.alloc(180), [60, length, 60], 60), { ...wrong, message: /frame 1\b/ })
      await t.throwsAsync(injector.sendAsync(short), wrong)
    }
    t.throws(() => injector.send(frame(1001)), { ...wrong, message: /1001 bytes.*1000 bytes/ })
    t.throws(() => injector.sendBatch([frame(60), frame(1001)]), { ...wrong, message: /frame 1\b.*1001/ })
    t.throws(() => injector.sendBatch(Buffer.alloc(4000), [60, 1001], 2000), { ...wrong, message: /frame 1\b/ })
    t.throws(() => injector.sendBatch(Buffer.alloc(100), [60, 60], 60), { ...wrong, message: /frame 1\b/ })
    await t.throwsAsync(injector.sendBatchAsync([frame(60), frame(1001)]), { ...wrong, message: /frame 1\b/ })
    t.is(injector.availableSlots, injector.frameCount)
    t.is(injector.pendingCount, 0)
    t.is(injector.flush(), 0)
    t.is(received(b), 0)
  },
)

test.serial('a queued frame keeps its bytes although its source is overwritten', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  const source = Buffer.alloc(60)
  for (let number = 0; number < 30; number += 3) {
    frame(60, number).copy(source)
    injector.send(source)
    frame(60, number + 1).copy(source)
    injector.sendBatch([source])
    frame(60, number + 2).copy(source)
    injector.sendBatch(source, [60], 60)
    source.fill(0xee)
  }
  await injector.drained()
  t.deepEqual(
    hex((await receive(capture, 30)).map(({ data }) => data)),
    hex(upTo(30).map((number) => frame(60, number))),
  )
})

test.serial('sendBatchAsync() sends more frames than there are slots, in order', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockCount: 32, blockTimeoutMs: 100 })
  const injector = injectorOn(t, a, { frameCount: 7 })
  const packets = receive(capture, 3000)
  await injector.sendBatchAsync(upTo(3000).map((number) => frame(100, number)))
  await injector.drained()
  t.deepEqual(numbers(await packets), upTo(3000))
  await injector.sendBatchAsync([])
  t.deepEqual(injector.txStats(), { sent: 3000, rejected: 0, pending: 0, bytes: 300_000 })
  t.is(received(b), 3000)
})

test.serial('rejections tell the newest and count all', async (t) => {
  const { a } = network(t)
  const injector = injectorOn(t, a)
  let told = 0
  injector.on('rejected', () => told++)
  await injector.sendBatchAsync(upTo(500).map(() => frame(1600)))
  await injector.drained()
  t.is(injector.rejectedSlots, 500)
  t.true(told > 0 && told <= 500)
})

test.serial('behind a shaper flush() does not block, and what waits is pending until it has left', async (t) => {
  const { a, b } = network(t)
  shape(a, '400kbit')
  const capture = captureOn(t, b, { blockCount: 64 })
  const injector = injectorOn(t, a)
  const frames = upTo(80).map((number) => frame(1000, number))
  const packets = receive(capture, 80, 20_000)
  injector.sendBatch(frames)
  t.is(injector.flush(), 80)
  t.true(injector.pendingCount > 0, 'it came back before they had left, which takes more than a second')
  let samples = 0
  const drained = injector.drained({ signal: AbortSignal.timeout(20_000) })
  let over = false
  void drained.then(() => (over = true))
  while (!over) {
    const { sent, pending } = injector.txStats()
    const arrived = received(b)
    t.true(sent <= arrived, `${sent} sent, ${arrived} arrived`)
    t.is(sent + pending, 80)
    samples += pending > 0 ? 1 : 0
    await sleep(10)
  }
  await drained
  t.true(samples > 2, `${samples} looks while frames waited`)
  t.is(received(b), 80)
  t.is(injector.pendingCount, 0)
  t.deepEqual(numbers(await packets), upTo(80))
})

test.serial('drained() resolves when every frame has arrived and not before', async (t) => {
  const { a, b } = network(t)
  shape(a, '800kbit')
  const injector = injectorOn(t, a)
  for (let round = 1; round <= 3; round++) {
    injector.sendBatch(upTo(30).map((number) => frame(1000, number)))
    await injector.drained({ signal: AbortSignal.timeout(20_000) })
    t.is(received(b), round * 30)
    t.deepEqual(injector.txStats(), { sent: round * 30, rejected: 0, pending: 0, bytes: round * 30_000 })
  }
})

test.serial('waitDrained() is false when its time has passed, and true when all have left', (t) => {
  const { a, b } = network(t)
  shape(a, '400kbit')
  const injector = injectorOn(t, a)
  t.true(injector.waitDrained(0), 'nothing to wait for')
  injector.sendBatch(upTo(50).map((number) => frame(1000, number)))
  t.false(injector.waitDrained(50))
  t.true(injector.pendingCount > 0)
  t.true(injector.waitDrained(20_000))
  t.is(received(b), 50)
  t.is(injector.pendingCount, 0)
})

test.serial('a queueing discipline that is full loses nothing: what it drops is sent again, in order', async (t) => {
  const { a, b } = network(t)
  a.run('tc', 'qdisc', 'add', 'dev', a.name, 'root', 'tbf', 'rate', '2mbit', 'burst', '4kb', 'limit', '20kb')
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  const packets = receive(capture, 100, 20_000)
  injector.sendBatch(upTo(100).map((number) => frame(1000, number)))
  t.true(injector.flush() < 100)
  await injector.drained({ signal: AbortSignal.timeout(20_000) })
  t.deepEqual(numbers(await packets), upTo(100))
  t.deepEqual(injector.txStats(), { sent: 100, rejected: 0, pending: 0, bytes: 100_000 })
})

test.serial('sendAsync() goes no faster than frames leave', async (t) => {
  const { a, b } = network(t)
  shape(a, '800kbit')
  const capture = captureOn(t, b, { blockCount: 64 })
  const injector = injectorOn(t, a, { frameCount: 4 })
  const packets = receive(capture, 80, 20_000)
  for (let number = 0; number < 80; number++) await injector.sendAsync(frame(1000, number))
  // 4 slots, and a send buffer of twice 4 x (2048 + 1024) bytes that charges each frame more than its 1000 bytes.
  const arrived = received(b)
  t.true(arrived >= 80 - 4 - 25, `${arrived} arrived`)
  await injector.drained({ signal: AbortSignal.timeout(20_000) })
  t.deepEqual(numbers(await packets), upTo(80))
})

async function fillUp(injector: Injector): Promise<void> {
  const full = AbortSignal.timeout(200)
  try {
    for (;;) await injector.sendAsync(frame(1000), { signal: full })
  } catch (error) {
    if (error !== full.reason) throw error
  }
}

test.serial('aborting a wait to send or to drain rejects with the reason; the frame is not queued', async (t) => {
  const { a } = network(t)
  shape(a, '2kbit')
  const injector = injectorOn(t, a, { frameCount: 2 })
  await fillUp(injector)
  const before = injector.pendingCount
  const reason = new Error('enough')
  const controller = new AbortController()
  const { signal } = controller
  const waits = [
    injector.sendAsync(frame(1000), { signal }),
    injector.drained({ signal }),
    injector.sendBatchAsync([frame(1000)], { signal }),
  ]
  setTimeout(() => {
    controller.abort(reason)
  }, 30)
  for (const wait of waits) t.is(await t.throwsAsync(wait), reason)
  t.true(injector.pendingCount <= before)
  t.is(await t.throwsAsync(injector.sendAsync(frame(60), { signal })), reason, 'aborted already')
  t.is(await t.throwsAsync(injector.sendBatchAsync([frame(60)], { signal })), reason)
  t.is(await t.throwsAsync(injector.drained({ signal })), reason)
})

test.serial('close() rejects who waits to send or to drain', async (t) => {
  const { a } = network(t)
  shape(a, '2kbit')
  const injector = injectorOn(t, a, { frameCount: 2 })
  await fillUp(injector)
  const waits = [injector.sendAsync(frame(1000)), injector.drained(), injector.sendBatchAsync([frame(1000)])]
  setTimeout(() => {
    injector.close()
  }, 30)
  for (const wait of waits) await t.throwsAsync(wait, { instanceOf: NetringError, code: 'ERR_NETRING_CLOSED' })
})

test.serial('qdiscBypass passes the shaper', async (t) => {
  const { a, b } = network(t)
  shape(a, '8kbit')
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a, { qdiscBypass: true })
  await sendAll(
    injector,
    upTo(100).map((number) => frame(1000, number)),
  )
  t.deepEqual(numbers(await receive(capture, 100)), upTo(100), '100 seconds with the shaper')
  t.deepEqual(injector.txStats(), { sent: 100, rejected: 0, pending: 0, bytes: 100_000 })
})

test.serial('a link that is down keeps frames queued until it is up', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  a.ip('link', 'set', a.name, 'down')
  injector.sendBatch([frame(60, 0), frame(60, 1)])
  t.throws(() => injector.flush(), { instanceOf: NetringError, code: 'ERR_NETRING_LINK_DOWN', message: /2 frames/ })
  await t.throwsAsync(injector.drained(), { code: 'ERR_NETRING_LINK_DOWN' })
  t.is(injector.pendingCount, 2)
  await setUp(a, b)
  await injector.drained()
  t.deepEqual(numbers(await receive(capture, 2)), [0, 1])
})

test.serial('an interface that is gone is told as such', async (t) => {
  const { a } = network(t)
  const injector = injectorOn(t, a)
  a.ip('link', 'del', a.name)
  injector.send(frame(60))
  t.throws(() => injector.flush(), { code: 'ERR_NETRING_INTERFACE_REMOVED', message: /va/ })
  await t.throwsAsync(injector.drained(), { code: 'ERR_NETRING_INTERFACE_REMOVED' })
})

test.serial('writable() sends in order, waits where it must, and has sent everything when it finishes', async (t) => {
  const { a, b } = network(t)
  shape(a, '2mbit')
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a, { frameCount: 4 })
  const writable = injector.writable({ highWaterMark: 2 })
  t.true(writable instanceof Writable)
  const packets = receive(capture, 80, 20_000)
  await pipeline(function* () {
    for (const number of upTo(80)) yield frame(1000, number)
  }, writable)
  t.is(received(b), 80)
  t.deepEqual(numbers(await packets), upTo(80))
  t.false(injector.closed)
  t.true(injector.send(frame(60)), 'the injector stays open')
})

test.serial('writable() fails with what cannot be sent, and by its signal', async (t) => {
  const { a } = network(t)
  const injector = injectorOn(t, a)
  const bad = injector.writable()
  bad.write(Buffer.alloc(3))
  const [error] = (await once(bad, 'error')) as [NetringError]
  t.is(error.code, 'ERR_NETRING_FRAME')
  const controller = new AbortController()
  const aborted = injector.writable({ signal: controller.signal })
  controller.abort()
  const [abort] = (await once(aborted, 'error')) as [Error]
  t.is(abort.name, 'AbortError')
  t.throws(() => injector.writable({ highWaterMark: -1 }), { code: 'ERR_OUT_OF_RANGE' })
  t.false(injector.closed)
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
    () => injector.txStats(),
    () => injector.availableSlots,
    () => injector.pendingCount,
    () => injector.rejectedSlots,
  ]) {
    t.throws(call, closed)
  }
  await t.throwsAsync(injector.drained(), closed)
  await t.throwsAsync(injector.sendAsync(frame(60)), closed)
  await t.throwsAsync(injector.sendBatchAsync([frame(60)]), closed)
  injector.close()
  await sleep(0)
  t.is(closes, 1)
  t.deepEqual(await receiveFor(capture, 100), [])
  t.is(received(b), 0)
})

test.serial('an injector receives nothing and needs no reader', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  await sendAll(
    injectorOn(t, b),
    upTo(1000).map((number) => frame(1000, number)),
  )
  t.deepEqual(injector.txStats(), { sent: 0, rejected: 0, pending: 0, bytes: 0 })
  t.is(received(a), 1000)
})

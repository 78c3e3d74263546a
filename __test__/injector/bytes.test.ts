/** What is sent arrives: bytes, order, counts. */
import test from 'ava'
import type { Injector } from '../../src/index.js'
import { everyKind, frame, hex, numbered, numbers, upTo } from '../../testkit/frames.mjs'
import { tcpdump, testThatNeeds } from '../helpers/needs.js'
import { network, received } from '../helpers/network.js'
import { record } from '../helpers/tcpdump.js'
import { captureOn, injectorOn, receive, sendAll } from '../helpers/traffic.js'

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

test.serial('a full ring refuses and says so; flush() makes room', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a, { frameCount: 4 })
  t.is(injector.flush(), 0)
  t.is(injector.sendBatch(numbered(6)), 4)
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
  t.deepEqual(hex((await receive(capture, 30)).map(({ data }) => data)), hex(numbered(30)))
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

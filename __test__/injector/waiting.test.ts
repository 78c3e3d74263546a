/** A sender that is faster than the link waits, without blocking, until it may go on or is told to stop. */
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Injector, NetringError, type PacketSink } from '../../src/index.js'
import { frame, numbered, numbers, upTo } from '../../testkit/frames.mjs'
import { type End, network, received, shape } from '../helpers/network.js'
import { comesToRest } from '../helpers/quiet.js'
import { captureOn, injectorOn, receive } from '../helpers/traffic.js'
import { xdpOn, xdpTest } from '../helpers/xdp.js'

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

test.serial('however many wait for room, they sleep as long as there is none', async (t) => {
  const { a } = network(t)
  shape(a, '2kbit')
  const injector = injectorOn(t, a, { frameCount: 2 })
  await fillUp(injector)
  for (const waiters of [1, 2, 3]) {
    const controller = new AbortController()
    const { signal } = controller
    const waits = upTo(waiters).map(() => injector.drained({ signal }))
    waits.push(injector.sendAsync(frame(1000), { signal }))
    await comesToRest(t)
    controller.abort(new Error('enough'))
    for (const wait of waits) await t.throwsAsync(wait, { message: 'enough' })
  }
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

test.serial('an array that is changed while frames of it wait is sent as it was given', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a, { frameCount: 16 })
  const frames = numbered(500)
  const sent = injector.sendBatchAsync(frames)
  frames.length = 3
  await sent
  await injector.drained({ signal: AbortSignal.timeout(10_000) })
  t.deepEqual(numbers(await receive(capture, 500)), upTo(500))
  const wrong: unknown[] = [...numbered(50), 'frame']
  await t.throwsAsync(injector.sendBatchAsync(wrong as Uint8Array[]), {
    code: 'ERR_INVALID_ARG_TYPE',
    message: /^frames\[50\] /,
  })
  t.is(injector.availableSlots, 16, 'none was queued')
})

async function sendSideBySide(t: ExecutionContext, sink: PacketSink, at: End): Promise<void> {
  const packets = receive(captureOn(t, at), 1000, 20_000)
  const calls: Promise<void>[] = []
  for (let number = 0; number < 1000; number += 5) {
    calls.push(sink.sendAsync(frame(60, number)), sink.sendAsync(frame(60, number + 1)))
    calls.push(sink.sendBatchAsync([2, 3, 4].map((more) => frame(60, number + more))))
  }
  await Promise.all(calls)
  await sink.drained({ signal: AbortSignal.timeout(10_000) })
  t.deepEqual(numbers(await packets), upTo(1000))
}

test.serial('frames of calls that wait side by side leave in the order of the calls', async (t) => {
  const { a, b } = network(t)
  await sendSideBySide(t, injectorOn(t, a, { frameCount: 8 }), b)
})

xdpTest('frames of calls that wait side by side leave an XDP socket in the order of the calls', async (t) => {
  const { a, b } = network(t)
  await sendSideBySide(t, xdpOn(t, a, { mode: 'tx', frameCount: 64, txSize: 64 }), b)
})

test.serial('who waits behind another sender is told of an abort and of close() at once', async (t) => {
  const { a } = network(t)
  shape(a, '2kbit')
  const injector = injectorOn(t, a, { frameCount: 2 })
  await fillUp(injector)
  const first = injector.sendAsync(frame(1000))
  const reason = new Error('enough')
  const abort = new AbortController()
  const aborted = injector.sendAsync(frame(1000), { signal: abort.signal })
  const last = injector.sendBatchAsync([frame(1000)])
  abort.abort(reason)
  t.is(await t.throwsAsync(aborted), reason)
  injector.close()
  await t.throwsAsync(first, { code: 'ERR_NETRING_CLOSED' })
  await t.throwsAsync(last, { code: 'ERR_NETRING_CLOSED' })
})

test.serial('who waits for room goes on when it is a flush of somebody else that finds it', async (t) => {
  const { a, b } = network(t)
  shape(a, '8mbit')
  const capture = captureOn(t, b, { blockCount: 64 })
  const injector = injectorOn(t, a, { frameCount: 8 })
  const packets = receive(capture, 300, 20_000)
  const sent = (async () => {
    for (let number = 0; number < 300; number++) await injector.sendAsync(frame(1000, number))
  })()
  let over = false
  const flushing = (async () => {
    while (!over) {
      injector.flush()
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  await sent
  over = true
  await flushing
  await injector.drained({ signal: AbortSignal.timeout(10_000) })
  t.deepEqual(numbers(await packets), upTo(300))
})

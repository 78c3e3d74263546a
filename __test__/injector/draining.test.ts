/** What has left is known: shapers, full queues, links that are down. */
import test from 'ava'
import { setTimeout as sleep } from 'node:timers/promises'
import { NetringError } from '../../src/index.js'
import { frame, numbers, upTo } from '../../testkit/frames.mjs'
import { network, received, setUp, shape } from '../helpers/network.js'
import { captureOn, injectorOn, receive, sendAll } from '../helpers/traffic.js'

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

test.serial('drained() in a loop lets timers run, however fast frames leave', async (t) => {
  const { a } = network(t)
  const injector = injectorOn(t, a)
  let fired = false
  setTimeout(() => (fired = true), 1)
  for (let turn = 0; turn < 20_000 && !fired; turn++) {
    injector.send(frame(60))
    await injector.drained()
  }
  t.true(fired)
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

test.serial('a queueing discipline that stays full for long and then recovers rejects nothing', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  // One frame in two seconds; three fit in the queue.
  a.run('tc', 'qdisc', 'add', 'dev', a.name, 'root', 'tbf', 'rate', '4kbit', 'burst', '1100b', 'limit', '3300b')
  injector.sendBatch(upTo(40).map((number) => frame(1000, number)))
  // Refused all the time, far longer than a frame that nothing would ever let through.
  t.false(injector.waitDrained(500))
  const { rejected, pending } = injector.txStats()
  t.is(rejected, 0)
  t.true(pending >= 30, `${pending} wait`)
  a.run('tc', 'qdisc', 'change', 'dev', a.name, 'root', 'tbf', 'rate', '80mbit', 'burst', '3000b', 'limit', '6000b')
  await injector.drained({ signal: AbortSignal.timeout(20_000) })
  t.deepEqual(numbers(await receive(capture, 40)), upTo(40))
  t.deepEqual(injector.txStats(), { sent: 40, rejected: 0, pending: 0, bytes: 40_000 })
})

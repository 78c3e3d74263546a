/** Interfaces that go down and come up under captures and injectors. */
import test from 'ava'
import { setTimeout as sleep } from 'node:timers/promises'
import { frame, numberOf } from '../../testkit/frames.mjs'
import { DOWN, eventsOf, remove, soon, until } from '../helpers/link.js'
import { network, setDown, setUp } from '../helpers/network.js'
import { comesToRest } from '../helpers/quiet.js'
import { arrived, captureOn, injectorOn, receive, sendAll } from '../helpers/traffic.js'

test('linkDown, linkUp, removed and close are told once each and in order', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const events = eventsOf(capture)
  await sleep(50)
  setDown(b)
  await until(t, 'linkDown', () => events.includes('linkDown'))
  await setUp(b, a)
  await until(t, 'linkUp', () => events.includes('linkUp'))
  remove(b)
  await until(t, 'removed', () => events.includes('removed'))
  capture.close()
  capture.close()
  await until(t, 'close', () => events.includes('close'))
  await sleep(50)
  // An interface goes down before it goes away.
  t.deepEqual(events, ['linkDown', 'linkUp', 'linkDown', 'removed', 'close'])
})

test('a listener that was taken off is told nothing', async (t) => {
  const { b } = network(t)
  const capture = captureOn(t, b)
  const events = eventsOf(capture)
  const others: string[] = []
  const listener = (): void => {
    others.push('linkDown')
  }
  capture.on('linkDown', listener)
  capture.off('linkDown', listener)
  await sleep(50)
  setDown(b)
  await until(t, 'linkDown', () => events.length > 0)
  t.deepEqual(others, [])
})

test.serial('readable() rejects once when the link goes down, then sleeps, then resolves with traffic', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  const pending = [capture.readable(soon()), capture.readable(soon())]
  setDown(b)
  for (const wait of pending) await t.throwsAsync(wait, { code: DOWN })
  let settled = false
  const second = capture.readable(soon()).finally(() => {
    settled = true
  })
  await comesToRest(t)
  t.false(settled)
  await setUp(b, a)
  await sendAll(injector, [frame(60, 7)])
  await second
  t.deepEqual(
    (await receive(capture, 1)).map((packet) => numberOf(packet.data)),
    [7],
  )
})

test('each time that the link goes down is told once', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  for (let times = 0; times < 3; times++) {
    const pending = capture.readable(soon())
    setDown(b)
    await t.throwsAsync(pending, { code: DOWN })
    await t.throwsAsync(capture.readable({ signal: AbortSignal.timeout(50) }), { any: true, name: 'TimeoutError' })
    await setUp(b, a)
    await sendAll(injectorOn(t, a), [frame(60, times)])
    t.deepEqual(
      (await receive(capture, 1)).map((packet) => numberOf(packet.data)),
      [times],
    )
  }
})

test('a link that went down while nobody waited is told to the next who waits', async (t) => {
  const { b } = network(t)
  const capture = captureOn(t, b)
  setDown(b)
  await sleep(50)
  t.is(capture.nextBatch(), undefined)
  await t.throwsAsync(capture.readable(soon()), { code: DOWN })
})

test('nextBatchBlocking() throws once when the link is down, then waits', async (t) => {
  const { b } = network(t)
  const capture = captureOn(t, b)
  setDown(b)
  t.throws(() => capture.nextBatchBlocking(5000), { code: DOWN })
  const start = performance.now()
  t.is(capture.nextBatchBlocking(250), undefined)
  t.true(performance.now() - start >= 249)
  await sleep(0)
})

test('for await goes on through a link that is down, with what came before and what comes after', async (t) => {
  const { a, b } = network(t)
  // Slow, so that the frames of a round lie in an open block when the link goes down.
  const capture = captureOn(t, b, { blockTimeoutMs: 300 })
  const injector = injectorOn(t, a)
  const seen: number[] = []
  const reading = (async () => {
    for await (const batch of capture) for (const packet of batch) seen.push(numberOf(packet.data))
  })()
  for (let round = 0; round < 3; round++) {
    await sendAll(injector, [frame(60, 2 * round), frame(60, 2 * round + 1)])
    await arrived(capture, 2 * round + 2)
    // Round by round, at once after sending: what came before the link went down is delivered all the same.
    setDown(b)
    await sleep(20)
    await setUp(b, a)
  }
  await sendAll(injector, [frame(60, 6)])
  await until(t, 'the last frame', () => seen.length >= 7)
  capture.close()
  await reading
  t.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6])
})

test('losing the carrier is a linkDown event and no failure', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const events = eventsOf(capture)
  await sleep(50)
  const wait = capture.readable(soon())
  setDown(a)
  await until(t, 'linkDown', () => events.includes('linkDown'))
  t.is(capture.nextBatch(), undefined)
  await setUp(a, b)
  await until(t, 'linkUp', () => events.includes('linkUp'))
  await sendAll(injectorOn(t, a), [frame(60, 3)])
  await wait
  t.is((await receive(capture, 1)).length, 1)
  t.deepEqual(events, ['linkDown', 'linkUp'])
})

test('an interface that is down can be opened; packets come when it is up', async (t) => {
  const { a, b } = network(t)
  setDown(b)
  const capture = captureOn(t, b, { promiscuous: true })
  const wait = capture.recv(soon())
  await sleep(50)
  await setUp(b, a)
  await sendAll(injectorOn(t, a), [frame(60, 5)])
  t.deepEqual(
    (await wait).map((packet) => numberOf(packet.data)),
    [5],
  )
})

test('an injector keeps its frames while the link is down and sends them when it is up', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  setDown(a)
  t.is(injector.sendBatch([frame(60, 1), frame(60, 2), frame(60, 3)]), 3)
  for (let times = 0; times < 3; times++) t.throws(() => injector.flush(), { code: DOWN })
  await t.throwsAsync(injector.drained(soon()), { code: DOWN })
  t.throws(() => injector.waitDrained(1000), { code: DOWN })
  const { sent, rejected, pending } = injector.txStats()
  t.deepEqual({ sent, rejected, pending }, { sent: 0, rejected: 0, pending: 3 })
  await setUp(a, b)
  t.true(injector.send(frame(60, 4)))
  await injector.drained(soon())
  t.deepEqual(
    (await receive(capture, 4)).map((packet) => numberOf(packet.data)),
    [1, 2, 3, 4],
  )
  t.is(injector.txStats().sent, 4)
})

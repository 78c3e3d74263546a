/** How a channel ends: closed, stopped, its interface down or gone, whoever waits. */
import test from 'ava'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasCode } from '../../src/errors/netring-error.js'
import type { ChannelCapture } from '../../src/index.js'
import { channelOn, drained, receiveMany, takeAll } from '../helpers/channel.js'
import { frame, numbered, numbers, upTo } from '../../testkit/frames.mjs'
import { DOWN, REMOVED, remove, removeMeanwhile, soon } from '../helpers/link.js'
import { network, setDown, setUp, type End } from '../helpers/network.js'
import { comesToRest } from '../helpers/quiet.js'
import { arrived, captureOn, injectorOn, sendAll, until } from '../helpers/traffic.js'

const CLOSED = { code: 'ERR_NETRING_CLOSED' } as const

function promiscuity(at: End): number {
  const [link] = JSON.parse(at.ip('-d', '-j', 'link', 'show', at.name)) as [{ promiscuity: number }]
  return link.promiscuity
}

/** Reads to the end, whatever that is. */
async function read(channel: ChannelCapture): Promise<number[]> {
  const seen: number[] = []
  for await (const packet of channel) seen.push(...numbers([packet]))
  return seen
}

test('aborting rejects with the reason, takes no packet and leaves the others waiting', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b)
  const reason = new Error('enough')
  const controller = new AbortController()
  const { signal } = controller
  const aborted = [channel.recv({ signal }), channel.recvMany(5, { signal })]
  const other = channel.recv(soon())
  setTimeout(() => {
    controller.abort(reason)
  }, 20)
  for (const wait of aborted) t.is(await t.throwsAsync(wait), reason)
  t.is(await t.throwsAsync(channel.recv({ signal })), reason)
  t.is(await t.throwsAsync(channel.recvMany(1, { signal })), reason)
  await sendAll(injectorOn(t, a), numbered(2))
  t.deepEqual(numbers([await other, await channel.recv(soon())]), [0, 1])
})

test('a channel on which nobody waits any more sleeps', async (t) => {
  const { b } = network(t)
  const channel = channelOn(t, b)
  await t.throwsAsync(channel.recv({ signal: AbortSignal.timeout(10) }), { any: true, name: 'TimeoutError' })
  const waiting = channel.recv().catch(() => undefined)
  await comesToRest(t)
  channel.close()
  await waiting
})

test('close() rejects who waits, ends loops, frees everything at once, and may be called again', async (t) => {
  const { b } = network(t)
  const channel = channelOn(t, b, { promiscuous: true })
  t.is(promiscuity(b), 1)
  let closes = 0
  channel.on('close', () => closes++)
  const waits = [channel.recv(), channel.recvMany(3), channel.recv(soon())].map((wait) => t.throwsAsync(wait, CLOSED))
  const loops = [read(channel), read(channel)]
  await sleep(10)
  channel.close()
  t.is(promiscuity(b), 0)
  t.true(channel.closed)
  channel.close()
  await Promise.all(waits)
  t.deepEqual(await Promise.all(loops), [[], []])
  await sleep(0)
  t.is(closes, 1)
  await t.throwsAsync(channel.recv(), CLOSED)
  await t.throwsAsync(channel.recvMany(1), CLOSED)
  await t.throwsAsync(channel.stopAndDrain(), CLOSED)
  t.throws(() => channel.tryRecv(), CLOSED)
  t.throws(() => {
    channel.detachFilter()
  }, CLOSED)
  t.is(channel.queued, 0)
  t.is(channel.overflowed, 0)
  t.deepEqual(await read(channel), [])
})

test('the counts of a channel are those of its end once it is closed', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b)
  await sendAll(injectorOn(t, a), numbered(7))
  t.true(await until(() => channel.queued === 7))
  t.is(channel.stats().packets, 7)
  await sendAll(injectorOn(t, a), numbered(3))
  t.true(await until(() => channel.queued === 10))
  channel.close()
  t.like(channel.cumulativeStats(), { packets: 10, drops: 0 })
  t.is(channel.stats().packets, 3)
  t.is(channel.stats().packets, 0)
})

test('while it is drained a channel keeps its filter, and what is queued', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b)
  await sendAll(injectorOn(t, a), numbered(50))
  t.true(await until(() => channel.queued === 50))
  const draining = channel.stopAndDrain()
  for (const replace of [
    () => {
      channel.setFilter([{ code: 6, jt: 0, jf: 0, k: 0 }])
    },
    () => {
      channel.detachFilter()
    },
  ]) {
    t.throws(replace, CLOSED)
  }
  t.deepEqual(numbers(await draining), upTo(50))
})

test('close() in every state: idle, full and blocked, in a loop, with packets fetched, at once', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  channelOn(t, b).close()

  const blocked = channelOn(t, b, { capacity: 5, blockSize: 65536, blockCount: 2 })
  const overflowing = channelOn(t, b, { capacity: 5, whenFull: 'dropNewest' })
  const fetched = channelOn(t, b)
  const looping = channelOn(t, b)
  const loop = (async () => {
    for await (const packet of looping) {
      t.is(numbers([packet])[0], 0)
      looping.close()
    }
  })()
  await sendAll(injector, numbered(2000))
  t.true(await until(() => blocked.queued === 5))
  await drained(overflowing, 2000)
  t.is(numbers([await fetched.recv(soon())])[0], 0)
  for (const channel of [blocked, overflowing, fetched]) channel.close()
  t.is(overflowing.overflowed, 1995)
  t.throws(() => fetched.tryRecv(), CLOSED)
  await loop
  {
    using scoped = channelOn(t, b)
    t.false(scoped.closed)
  }
})

test('leaving a loop leaves the channel open, and takes nothing more from it', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b)
  const injector = injectorOn(t, a)
  const loop = channel[Symbol.asyncIterator]()
  const pending = loop.next()
  await loop.return?.()
  t.deepEqual(await pending, { done: true, value: undefined })
  t.deepEqual(await loop.next(), { done: true, value: undefined })
  await sendAll(injector, numbered(5))
  for await (const packet of channel) if (numbers([packet])[0] === 2) break
  t.deepEqual(numbers(await receiveMany(channel, 2)), [3, 4])
})

test('stopAndDrain() gives everything that came before, also from a block that is not full', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b, { blockTimeoutMs: 300, promiscuous: true })
  const whole = captureOn(t, b)
  const injector = injectorOn(t, a)
  await sendAll(injector, numbered(1000))
  await arrived(whole, 1000)
  t.deepEqual(numbers([await channel.recv(soon()), await channel.recv(soon())]), [0, 1])
  const draining = channel.stopAndDrain()
  await sendAll(injector, numbered(10, 5000))
  const rest = numbers(await draining)
  t.deepEqual(
    rest.slice(0, 998),
    upTo(998).map((number) => number + 2),
  )
  // Its thread may have heard of it a moment late.
  const late = rest.length - 998
  t.deepEqual(
    rest.slice(998),
    upTo(late).map((number) => number + 5000),
  )
  t.true(channel.closed)
  t.is(promiscuity(b), 0)
  t.is(channel.queued, 0)
  t.is(channel.overflowed, 0)
  t.deepEqual(channel.cumulativeStats(), { packets: 1000 + late, drops: 0, freezeCount: 0 })
  t.is(channel.stats().packets, 1000 + late)
  t.is(channel.stats().packets, 0)
  channel.close()
})

test('stopAndDrain() rejects who waits, ends loops, and is called once', async (t) => {
  const { b } = network(t)
  const channel = channelOn(t, b)
  const waits = [channel.recv(), channel.recvMany(2)].map((wait) => t.throwsAsync(wait, CLOSED))
  const loop = read(channel)
  await sleep(10)
  const draining = channel.stopAndDrain()
  await Promise.all(waits)
  t.deepEqual(await loop, [])
  await t.throwsAsync(channel.recv(), CLOSED)
  await t.throwsAsync(channel.stopAndDrain(), CLOSED)
  t.throws(() => channel.tryRecv(), CLOSED)
  t.deepEqual(await draining, [])
})

test('stopAndDrain() of a blocked channel gives the queue and the ring, whatever the capacity', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b, { capacity: 10 })
  const whole = captureOn(t, b)
  await sendAll(injectorOn(t, a), numbered(3000))
  await arrived(whole, 3000)
  t.true(await until(() => channel.queued === 10))
  t.deepEqual(numbers([await channel.recv()]), [0])
  const rest = await channel.stopAndDrain()
  t.deepEqual(
    numbers(rest),
    upTo(2999).map((number) => number + 1),
  )
  t.deepEqual(channel.cumulativeStats(), { packets: 3000, drops: 0, freezeCount: 0 })
})

test('stopAndDrain() of an empty channel, and one that is closed meanwhile', async (t) => {
  const { b } = network(t)
  t.deepEqual(await channelOn(t, b).stopAndDrain(), [])
  const channel = channelOn(t, b)
  const draining = channel.stopAndDrain()
  channel.close()
  await t.throwsAsync(draining, CLOSED)
})

test('removal is told after the packets, to everybody who waits and again', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b)
  const looping = channelOn(t, b)
  const idle = channelOn(t, b)
  const events: string[] = []
  for (const event of ['linkDown', 'removed'] as const) channel.on(event, () => events.push(event))
  await sendAll(injectorOn(t, a), numbered(100))
  await drained(channel, 100)
  const seen: number[] = []
  const loop = t.throwsAsync(
    async () => {
      for await (const packet of looping) seen.push(...numbers([packet]))
    },
    { code: REMOVED },
  )
  await removeMeanwhile(b)
  await loop
  t.deepEqual(seen, upTo(100))
  t.deepEqual(numbers(await receiveMany(channel, 100)), upTo(100))
  const waits = async (): Promise<void> => {
    for (;;) {
      try {
        await channel.recv(soon())
      } catch (error) {
        if (!hasCode(error, DOWN)) throw error
      }
    }
  }
  await Promise.all([t.throwsAsync(waits, { code: REMOVED }), t.throwsAsync(waits, { code: REMOVED })])
  t.throws(() => channel.tryRecv(), { code: REMOVED })
  t.true(await until(() => events.includes('removed')))
  t.deepEqual(numbers(await idle.stopAndDrain()), upTo(100))
  t.is(channel.cumulativeStats().packets, 100)
})

test('removal of an interface that was down reaches who waits', async (t) => {
  const { b } = network(t)
  const channel = channelOn(t, b)
  await t.throwsAsync(
    async () => {
      const wait = channel.recv(soon())
      await sleep(20)
      setDown(b)
      await wait
    },
    { code: DOWN },
  )
  const wait = t.throwsAsync(channel.recv(soon()), { code: REMOVED })
  await sleep(50)
  remove(b)
  await wait
})

test('a link that goes down is told once to who waits; loops go on', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b)
  const looping = channelOn(t, b)
  const events: string[] = []
  for (const event of ['linkDown', 'linkUp'] as const) channel.on(event, () => events.push(event))
  const seen: number[] = []
  const loop = (async () => {
    for await (const packet of looping) seen.push(...numbers([packet]))
  })()
  await sleep(50)
  for (let times = 0; times < 3; times++) {
    const waits = [channel.recv(soon()), channel.recvMany(2, soon())]
    await sleep(20)
    setDown(b)
    for (const wait of waits) await t.throwsAsync(wait, { code: DOWN })
    await t.throwsAsync(channel.recv({ signal: AbortSignal.timeout(50) }), { any: true, name: 'TimeoutError' })
    t.is(channel.tryRecv(), undefined)
    await setUp(b, a)
    await sendAll(injectorOn(t, a), [frame(60, times)])
    t.deepEqual(numbers([await channel.recv(soon())]), [times])
  }
  t.true(await until(() => seen.length === 3))
  looping.close()
  await loop
  t.deepEqual(seen, [0, 1, 2])
  t.true(await until(() => events.length === 6))
  t.deepEqual(events, ['linkDown', 'linkUp', 'linkDown', 'linkUp', 'linkDown', 'linkUp'])
})

test('a link that was down and is up again before anybody waits is told to nobody', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b)
  setDown(b)
  await sleep(50)
  await setUp(b, a)
  await sendAll(injectorOn(t, a), numbered(1))
  await drained(channel, 1)
  t.is(takeAll(channel).length, 1)
  await t.throwsAsync(channel.recv({ signal: AbortSignal.timeout(50) }), { any: true, name: 'TimeoutError' })
})

/** What happens beyond the capacity, counted exactly. */
import test from 'ava'
import { block, channelOn, drained, receiveMany, takeAll } from '../helpers/channel.js'
import { frame, numbers, numbered, upTo } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { arrived, captureOn, injectorOn, sendAll, until } from '../helpers/traffic.js'

const from = (first: number, count: number): number[] => upTo(count).map((number) => first + number)

test.serial('dropNewest keeps the oldest', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b, { capacity: 100, whenFull: 'dropNewest' })
  const injector = injectorOn(t, a)
  await sendAll(injector, numbered(1000))
  await drained(channel, 1000)
  t.is(channel.queued, 100)
  t.is(channel.overflowed, 900)
  t.deepEqual(numbers(await channel.recvMany(40)), upTo(40))
  await sendAll(injector, numbered(50, 1000))
  await drained(channel, 1050, 40)
  t.is(channel.queued, 100)
  t.is(channel.overflowed, 910)
  t.deepEqual(numbers(takeAll(channel)), [...from(40, 60), ...from(1000, 40)])
  t.is(channel.cumulativeStats().packets, 1050)
})

test.serial('dropOldest keeps the newest, whatever has been fetched already', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b, { capacity: 100, whenFull: 'dropOldest' })
  const injector = injectorOn(t, a)
  await sendAll(injector, numbered(1000))
  await drained(channel, 1000)
  t.is(channel.queued, 100)
  t.is(channel.overflowed, 900)
  // Ninety of them are fetched with these, and still the oldest.
  for (const number of from(900, 10)) t.deepEqual(numbers([await channel.recv()]), [number])
  t.is(channel.queued, 90)
  await sendAll(injector, numbered(50, 1000))
  await drained(channel, 1050, 10)
  t.is(channel.queued, 100)
  t.is(channel.overflowed, 940)
  t.deepEqual(numbers([await channel.recv()]), [950])
  await sendAll(injector, numbered(500, 1050))
  await drained(channel, 1550, 11)
  t.is(channel.overflowed, 1439)
  t.deepEqual(numbers(takeAll(channel)), from(1450, 100))
})

test.serial('block leaves packets in the ring, and then the kernel drops and counts', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b, { capacity: 100, whenFull: 'block', blockSize: 65536, blockCount: 4 })
  const injector = injectorOn(t, a)
  const whole = captureOn(t, b, { blockSize: 1 << 20, blockCount: 16 })
  await sendAll(injector, numbered(3000))
  await arrived(whole, 3000)
  t.true(await until(() => channel.queued === 100))
  const { packets, drops } = channel.cumulativeStats()
  t.is(packets + drops, 3000)
  t.true(drops > 0, 'four blocks take fewer than 3000')
  t.is(channel.overflowed, 0)
  t.deepEqual(numbers(await receiveMany(channel, packets)), upTo(packets))
  t.is(channel.queued, 0)
})

test.serial('bytes are a limit of their own', async (t) => {
  const { a, b } = network(t)
  for (const whenFull of ['dropNewest', 'dropOldest'] as const) {
    const channel = channelOn(t, b, { capacityBytes: 10_000, whenFull })
    await sendAll(
      injectorOn(t, a),
      upTo(30).map((number) => frame(1000, number)),
    )
    await drained(channel, 30)
    t.is(channel.queued, 10)
    t.is(channel.overflowed, 20)
    const kept = takeAll(channel)
    t.deepEqual(numbers(kept), from(whenFull === 'dropNewest' ? 0 : 20, 10))
    channel.close()
  }
})

test.serial('a packet larger than all bytes of the queue is dropped and counted by every policy', async (t) => {
  const { a, b } = network(t)
  for (const whenFull of ['block', 'dropNewest', 'dropOldest'] as const) {
    const channel = channelOn(t, b, { capacityBytes: 1000, whenFull })
    await sendAll(injectorOn(t, a), [frame(400, 0), frame(1001, 1), frame(600, 2)])
    await drained(channel, 3)
    t.is(channel.overflowed, 1, whenFull)
    t.deepEqual(numbers(takeAll(channel)), [0, 2])
    channel.close()
  }
})

test.serial('a capacity of one packet passes everything on where it blocks', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b, { capacity: 1 })
  await sendAll(injectorOn(t, a), numbered(300))
  const seen = []
  for (let count = 0; count < 300; count++) {
    seen.push(await channel.recv({ signal: AbortSignal.timeout(10_000) }))
    t.true(channel.queued <= 1)
  }
  t.deepEqual(numbers(seen), upTo(300))
})

test.serial('what is passed on, queued and dropped is what the ring received, while all of it changes', async (t) => {
  const { a, b } = network(t)
  for (const whenFull of ['dropOldest', 'dropNewest'] as const) {
    const channel = channelOn(t, b, { capacity: 500, whenFull, blockSize: 1 << 20, blockCount: 16 })
    const injector = injectorOn(t, a)
    let passedOn = 0
    let newest = -1
    for (let round = 0; round < 40; round++) {
      injector.sendBatch(numbered(300, round * 300))
      injector.flush()
      if (round % 3 === 0) block(3)
      for (let packet = channel.tryRecv(), count = 0; packet !== undefined && count < 150; count++) {
        passedOn++
        const [number] = numbers([packet])
        t.true(number! > newest)
        newest = number!
        packet = count < 149 ? channel.tryRecv() : undefined
      }
      t.true(channel.queued <= 500)
    }
    await injector.drained()
    await drained(channel, 12_000, passedOn)
    t.is(channel.queued + channel.overflowed + passedOn, 12_000)
    t.deepEqual(channel.cumulativeStats(), { packets: 12_000, drops: 0, freezeCount: 0 })
    channel.close()
  }
})

test.serial('room that is made packet by packet is used, with block', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b, { capacity: 512 })
  const injector = injectorOn(t, a)
  await sendAll(injector, numbered(900))
  t.true(await until(() => channel.queued === 512))
  // All of them are fetched with the first: nothing is told of the others.
  for (const number of upTo(400)) t.is(numbers([channel.tryRecv()!])[0], number)
  t.true(await until(() => channel.queued === 500), `${channel.queued} queued`)
})

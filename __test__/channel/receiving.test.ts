/** Packets come out of a channel as they came in, by each way of asking. */
import test from 'ava'
import { ChannelCapture, type OwnedPacket } from '../../src/index.js'
import { named, range, type, value } from '../helpers/arguments.js'
import { channelOn, drained, receiveMany, takeAll } from '../helpers/channel.js'
import { everyKind, frame, hex, numberOf, numbered, numbers, tagged, inner, upTo } from '../../testkit/frames.mjs'
import { soon } from '../helpers/link.js'
import { network } from '../helpers/network.js'
import { captureOn, injectorOn, receive, sendAll } from '../helpers/traffic.js'

/** All fields but the time, which each socket takes for itself; the bytes in hexadecimal. */
function fields(packet: OwnedPacket): unknown {
  const all = (packet as unknown as { toJSON(): object }).toJSON()
  return { ...all, timestamp: undefined, data: packet.data.toString('hex') }
}

test.serial('frames of every kind arrive in order, byte for byte', async (t) => {
  const { a, b } = network(t, { mtu: 65_535 })
  const channel = channelOn(t, b)
  const frames = everyKind()
  await sendAll(injectorOn(t, a, { frameSize: 65_535 }), frames)
  t.deepEqual(hex((await receiveMany(channel, frames.length)).map(({ data }) => data)), hex(frames))
  t.is(channel.queued, 0)
  t.is(channel.overflowed, 0)
  t.deepEqual(channel.cumulativeStats(), { packets: frames.length, drops: 0, freezeCount: 0 })
})

test.serial('every field is what a capture says of the same packet', async (t) => {
  const { a, b } = network(t)
  for (const vlan of ['reinsert', 'metadata'] as const) {
    const capture = captureOn(t, b, { vlan, snapLen: 90 })
    const channel = channelOn(t, b, { vlan, snapLen: 90 })
    await sendAll(injectorOn(t, a), [frame(60, 1), tagged(80, inner), frame(1500, 3)])
    const expected = (await receive(capture, 3)).map(fields)
    const packets = await receiveMany(channel, 3)
    t.deepEqual(packets.map(fields), expected)
    t.true(packets[2]?.truncated)
    for (const { timestamp } of packets) t.true(Math.abs(Number(timestamp / 1_000_000n) - Date.now()) < 60_000)
  }
})

test.serial('recv(), recvMany(), tryRecv() and for await take from one queue, each packet once', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b)
  await sendAll(injectorOn(t, a), numbered(3000))
  await drained(channel, 3000)
  t.is(channel.queued, 3000)
  const seen: OwnedPacket[] = []
  for (let round = 0; seen.length < 3000; round++) {
    seen.push(await channel.recv(soon()))
    const packet = channel.tryRecv()
    if (packet !== undefined) seen.push(packet)
    if (seen.length < 3000) seen.push(...(await channel.recvMany(1 + (round % 40), soon())))
    if (seen.length < 3000) {
      for await (const next of channel) {
        seen.push(next)
        if (numberOf(next.data) % 7 === 0 || seen.length === 3000) break
      }
    }
    t.is(channel.queued, 3000 - seen.length)
  }
  t.deepEqual(numbers(seen), upTo(3000))
  t.is(channel.tryRecv(), undefined)
})

test.serial('recvMany() gives what there is, up to its limit', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b)
  const waiting = channel.recvMany(100_000, soon())
  const injector = injectorOn(t, a)
  await sendAll(injector, numbered(1))
  t.deepEqual(numbers(await waiting), [0])
  await sendAll(injector, numbered(5000, 1))
  await drained(channel, 5001, 1)
  t.is((await channel.recvMany(10)).length, 10)
  t.is((await channel.recvMany(4000)).length, 4000)
  const rest = await channel.recvMany(0xffff_ffff)
  t.deepEqual(
    numbers(rest),
    upTo(990).map((number) => number + 4011),
  )
})

test.serial('who asks first is served first', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b)
  const injector = injectorOn(t, a)
  const loop = channel[Symbol.asyncIterator]()
  const asked = [
    channel.recv(soon()),
    channel.recv(soon()),
    loop.next().then(({ value }) => value!),
    channel.recv(soon()),
    channel.recvMany(1, soon()).then(([packet]) => packet!),
  ]
  await sendAll(injector, numbered(2))
  t.deepEqual(numbers(await Promise.all(asked.slice(0, 2))), [0, 1])
  const late = channel.recv(soon())
  await sendAll(injector, numbered(4, 2))
  t.deepEqual(numbers(await Promise.all(asked)), upTo(5))
  t.is(numberOf((await late).data), 5)
  await loop.return?.()
})

test.serial('a loop over a busy channel does not starve timers', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b)
  await sendAll(injectorOn(t, a), numbered(20_000))
  await drained(channel, 20_000)
  let turns = 0
  const timer = setInterval(() => turns++, 0)
  t.teardown(() => {
    clearInterval(timer)
  })
  for (let count = 0; count < 20_000; count++) await channel.recv()
  t.true(turns > 0)
})

test.serial('packets outlive their channel, and may be written to and transferred', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b)
  await sendAll(injectorOn(t, a), numbered(10))
  const [first, second, ...rest] = await receiveMany(channel, 10)
  channel.close()
  t.is(numberOf(first!.data), 0)
  first!.data.fill(0xff)
  t.is(numberOf(second!.data), 1)
  t.deepEqual(
    numbers(rest),
    upTo(8).map((number) => number + 2),
  )
  const copy = structuredClone(second!.data)
  t.is(Buffer.from(copy).readUInt32BE(14), 1)
})

test.serial('a filter refuses, is replaced and taken away, and what was queued goes with it', async (t) => {
  const { a, b } = network(t)
  const nothing = [{ code: 6, jt: 0, jf: 0, k: 0 }]
  const everything = [{ code: 6, jt: 0, jf: 0, k: 262_144 }]
  const channel = channelOn(t, b, { filter: everything })
  const injector = injectorOn(t, a)
  await sendAll(injector, numbered(100))
  await drained(channel, 100)
  t.is(numberOf((await channel.recv()).data), 0)
  t.throws(
    () => {
      channel.setFilter([{ code: 5, jt: 0, jf: 0, k: 100 }])
    },
    { code: 'ERR_NETRING_FILTER' },
  )
  t.is(channel.queued, 99)
  channel.setFilter(nothing)
  t.is(channel.queued, 0)
  t.is(channel.tryRecv(), undefined)
  await sendAll(injector, numbered(5, 100))
  channel.detachFilter()
  await sendAll(injector, numbered(5, 105))
  t.deepEqual(numbers(await receiveMany(channel, 5)), [105, 106, 107, 108, 109])
})

test.serial('several channels and captures of one interface see everything', async (t) => {
  const { a, b } = network(t)
  const channels = [channelOn(t, b), channelOn(t, b)]
  const capture = captureOn(t, b)
  await sendAll(injectorOn(t, a), numbered(500))
  for (const channel of channels) t.deepEqual(numbers(await receiveMany(channel, 500)), upTo(500))
  t.deepEqual(numbers(await receive(capture, 500)), upTo(500))
})

test.serial('statistics since the last call and since open do not disturb each other', async (t) => {
  const { a, b } = network(t)
  const channel = channelOn(t, b)
  const injector = injectorOn(t, a)
  await sendAll(injector, numbered(5))
  await drained(channel, 5)
  t.deepEqual(channel.stats(), { packets: 5, drops: 0, freezeCount: 0 })
  await sendAll(injector, numbered(3))
  await drained(channel, 8)
  t.is(channel.cumulativeStats().packets, 8)
  t.is(channel.stats().packets, 3)
  t.is(channel.stats().packets, 0)
  t.is(takeAll(channel).length, 8)
})

test.serial('what is wrong with an argument is said by name', async (t) => {
  const { b } = network(t)
  const channel = channelOn(t, b)
  for (const max of [0, -1, 1.5, NaN, Infinity, 2 ** 32]) {
    await t.throwsAsync(channel.recvMany(max), { instanceOf: RangeError, code: range, message: named('max') })
  }
  for (const max of [undefined, '1', null, 1n]) {
    const wrong = channel.recvMany(max as unknown as number)
    await t.throwsAsync(wrong, { instanceOf: TypeError, code: type, message: named('max') })
  }
  const controller = new AbortController() as unknown as AbortSignal
  await t.throwsAsync(channel.recv({ signal: controller }), { code: type, message: named('options.signal') })
  await t.throwsAsync(channel.recvMany(1, { sygnal: 1 } as object), { code: value, message: named('options.sygnal') })
  t.throws(() => channel.on('error' as 'close', () => undefined), { code: type, message: named('event') })
  t.throws(() => ChannelCapture.open('', {}), { code: value, message: named('interfaceName') })
  const construct = ChannelCapture as unknown as new (...args: unknown[]) => unknown
  t.throws(() => new construct('lo', {}), { code: 'ERR_ILLEGAL_CONSTRUCTOR' })
})

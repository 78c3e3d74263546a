/** Flags of a group. */
import test from 'ava'
import type { Capture } from '../../src/index.js'
import { eachOnce, members, sorted, tight } from '../helpers/fanout.js'
import { numbered, udp, upTo } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { injectorOn, sendAll, shares, until } from '../helpers/traffic.js'

/** Packets that a member was given, with those that it had no room for. */
function counted(capture: Capture): number {
  const { packets, drops } = capture.cumulativeStats()
  return packets + drops
}

test.serial(
  'the flag rollover takes what the chosen member cannot hold to another; without it that is dropped',
  async (t) => {
    const { a, b } = network(t)
    const injector = injectorOn(t, a)
    const frames = upTo(400).map((number) => udp(5, 6, String(number).padStart(1000)))
    for (const rollover of [false, true]) {
      const group = members(t, b, 3, { mode: 'hash', rollover }, tight)
      await sendAll(injector, frames)
      // Read late: one flow is more than one ring holds.
      await until(() => group.reduce((sum, capture) => sum + counted(capture), 0) >= 400)
      const stats = group.map((capture) => capture.cumulativeStats())
      const dropped = stats.reduce((sum, { drops }) => sum + drops, 0)
      if (rollover) {
        const got = await shares(group, 400)
        const seen = got.flat().map(({ data }) => Number(data.toString('latin1', 42)))
        t.deepEqual(sorted(seen), upTo(400))
        t.true(got.filter(({ length }) => length > 0).length > 1)
        t.is(dropped, 0)
      } else {
        t.true(dropped > 0)
        t.is(stats.filter(({ packets }) => packets > 0).length, 1)
      }
      for (const capture of group) capture.close()
    }
  },
)

/** A UDP datagram as IP fragments, each in a frame. */
function fragments(payload: Buffer, id: number, size: number): Buffer[] {
  const whole = udp(7000 + id, 53, payload.toString('latin1'))
  const [link, header, body] = [whole.subarray(0, 14), whole.subarray(14, 34), whole.subarray(34)]
  body.writeUInt16BE(0, 6)
  const frames: Buffer[] = []
  for (let at = 0; at < body.length; at += size) {
    const part = body.subarray(at, at + size)
    const head = Buffer.from(header)
    head.writeUInt16BE(20 + part.length, 2)
    head.writeUInt16BE(id, 4)
    head.writeUInt16BE((at + size < body.length ? 0x2000 : 0) | (at / 8), 6)
    head.writeUInt16BE(0, 10)
    let sum = 0
    for (let word = 0; word < 20; word += 2) sum += head.readUInt16BE(word)
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
    head.writeUInt16BE(~sum & 0xffff, 10)
    frames.push(Buffer.concat([link, head, part]))
  }
  return frames
}

test.serial('the flag defrag puts the fragments of a datagram together, at one member', async (t) => {
  const { a, b } = network(t)
  const payload = Buffer.from(upTo(2000).map((at) => 97 + (at % 26)))
  const datagrams = upTo(20).map((id) => fragments(payload, id, 800))
  const frames = datagrams.flat()
  t.is(frames.length, 60)
  const injector = injectorOn(t, a)
  const scattered = members(t, b, 3, { mode: 'hash' })
  await sendAll(injector, frames)
  t.is((await shares(scattered, 60)).flat().length, 60, 'without it fragments are packets')
  for (const capture of scattered) capture.close()
  const group = members(t, b, 3, { mode: 'hash', defrag: true })
  await sendAll(injector, frames)
  const got = (await shares(group, 20)).flat()
  t.deepEqual(
    sorted(got.map(({ data }) => data.readUInt16BE(34))),
    upTo(20).map((id) => 7000 + id),
  )
  for (const { data } of got) t.true(data.subarray(42).equals(payload))
})

test.serial(
  'ignoreOutgoing leaves out what this host sends, as the flag of the group and as the option of a capture',
  async (t) => {
    const { a, b } = network(t)
    const [ours, theirs] = [injectorOn(t, a), injectorOn(t, b)]
    for (const [flag, option, wanted] of [
      [false, false, upTo(40)],
      [true, false, upTo(20)],
      [false, true, upTo(20)],
      [true, true, upTo(20)],
    ] as const) {
      const group = members(t, a, 2, { mode: 'loadBalance', ignoreOutgoing: flag }, { ignoreOutgoing: option })
      await sendAll(theirs, numbered(20))
      await sendAll(ours, numbered(20, 20))
      eachOnce(t, await shares(group, wanted.length), wanted, `flag ${flag}, option ${option}`)
      for (const capture of group) capture.close()
    }
  },
)

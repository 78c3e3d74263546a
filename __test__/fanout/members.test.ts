/** Members come and go, and nobody sees what another one has. */
import test from 'ava'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Capture, NetringError } from '../../src/index.js'
import { step } from '../helpers/bpf.js'
import { flood } from '../helpers/child.js'
import { eachOnce, members } from '../helpers/fanout.js'
import { ETHERTYPE, numberOf, numbered, udp, upTo } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { captureOn, injectorOn, receive, sendAll, shares } from '../helpers/traffic.js'

test.serial("group 'unique' gives each group an id of its own, by which others join", async (t) => {
  const { a, b } = network(t)
  const one = members(t, b, 2, { mode: 'loadBalance' })
  const two = members(t, b, 2, { mode: 'loadBalance' })
  t.is(one[0]!.fanoutId, one[1]!.fanoutId)
  t.is(two[0]!.fanoutId, two[1]!.fanoutId)
  t.not(one[0]!.fanoutId, two[0]!.fanoutId)
  await sendAll(injectorOn(t, a), numbered(100))
  eachOnce(t, await shares(one, 100), upTo(100), 'each group gets everything')
  eachOnce(t, await shares(two, 100), upTo(100))
})

test.serial('a group has the id that was asked for; a capture without a group has none', (t) => {
  const { b } = network(t)
  for (const group of [0, 1, 4242, 65535]) t.is(captureOn(t, b, { fanout: { mode: 'hash', group } }).fanoutId, group)
  t.is(captureOn(t, b).fanoutId, undefined)
})

test.serial('a member of another mode or with other flags is refused, and the group goes on', async (t) => {
  const { a, b } = network(t)
  const group = members(t, b, 2, { mode: 'loadBalance' })
  const id = group[0]!.fanoutId!
  for (const fanout of [
    { mode: 'hash', group: id },
    { mode: 'loadBalance', group: id, rollover: true },
    { mode: 'loadBalance', group: id, defrag: true },
    { mode: 'loadBalance', group: id, ignoreOutgoing: true },
  ] as const) {
    const error = t.throws(() => captureOn(t, b, { fanout }), {
      instanceOf: NetringError,
      code: 'ERR_NETRING_SOCKOPT',
      message: /same mode, flags and interface/,
    }) as NetringError | undefined
    t.is(error?.option, 'PACKET_FANOUT')
    t.is(error?.syscall, 'setsockopt')
    t.is(error?.interface, b.name)
  }
  await sendAll(injectorOn(t, a), numbered(100))
  eachOnce(t, await shares(group, 100), upTo(100))
})

test.serial('members that join and leave under traffic never see a packet that another member has', async (t) => {
  const { a, b } = network(t)
  const seen = new Map<number, number>()
  const note = (capture: Capture): Promise<void> =>
    (async () => {
      try {
        for (;;) {
          for (const { data } of await capture.recv()) seen.set(numberOf(data), (seen.get(numberOf(data)) ?? 0) + 1)
        }
      } catch (error) {
        t.is((error as NetringError).code, 'ERR_NETRING_CLOSED')
      }
    })()
  const open = (group: number | 'unique'): Capture =>
    captureOn(t, b, { blockCount: 64, fanout: { mode: 'loadBalance', group } })
  const founder = open('unique')
  const readers = [note(founder)]
  const sending = await flood(t, a, [ETHERTYPE])
  for (let round = 0; round < 8; round++) {
    const joined = [open(founder.fanoutId!), open(founder.fanoutId!)]
    readers.push(...joined.map(note))
    await sleep(30)
    for (const capture of joined) capture.close()
    await sleep(10)
  }
  const sent = await sending.stop()
  await sleep(50)
  founder.close()
  await Promise.all(readers)
  const twice = [...seen].filter(([, times]) => times > 1)
  t.deepEqual(twice, [])
  t.true(seen.size > sent / 10, `${seen.size} of ${sent}`)
  t.is(founder.closed, true)
})

test.serial('with a filter a member sees only what it lets in, from its first packet on', async (t) => {
  const { a, b } = network(t)
  await flood(t, a, [ETHERTYPE, 0x88b6])
  // ldh [12]; jeq #0x88b5, 0, 1; ret #-1; ret #0
  const filter = [
    { code: 0x28, jt: 0, jf: 0, k: 12 },
    { code: 0x15, jt: 0, jf: 1, k: ETHERTYPE },
    step.return(0xffff_ffff),
    step.return(0),
  ]
  for (let round = 0; round < 5; round++) {
    const group = members(t, b, 2, { mode: 'random' }, { filter })
    for (const capture of group) {
      const packets = await receive(capture, 100)
      t.true(packets.length >= 100)
      t.true(packets.every(({ protocol }) => protocol === ETHERTYPE))
    }
    for (const capture of group) capture.close()
  }
})

test.serial('a member that is closed leaves its share to the others at once', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  for (const mode of ['hash', 'loadBalance', 'random', 'cpu'] as const) {
    const group = members(t, b, 4, { mode })
    for (let left = 4; left > 0; left--) {
      const frames = upTo(50).map((number) => udp(number, 53, 'x'))
      await sendAll(injector, frames)
      const got = await shares(group.slice(4 - left), 50)
      t.is(new Set(got.flat().map(({ data }) => data.readUInt16BE(34))).size, 50, `${mode}, ${left} left`)
      t.is(got.flat().length, 50)
      group[4 - left]!.close()
    }
  }
})

test.serial('a group whose last member has gone can be made anew with another mode', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  for (const mode of ['hash', 'loadBalance', 'rollover'] as const) {
    const captures = [0, 1].map(() => captureOn(t, b, { fanout: { mode, group: 77 } }))
    await sendAll(injector, numbered(20))
    eachOnce(t, await shares(captures, 20), upTo(20), mode)
    for (const capture of captures) capture.close()
  }
})

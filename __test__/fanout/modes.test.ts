/** A group shares the packets of an interface: each arrives at one member, by the group's mode. */
import test from 'ava'
import { execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { eachOnce, members, membersOfFlows, tight } from '../helpers/fanout.js'
import { frame, numbered, numbers, udp, upTo } from '../../testkit/frames.mjs'
import { network, received } from '../helpers/network.js'
import { arrived, injectorOn, sendAll, shares } from '../helpers/traffic.js'

const anyMode = ['hash', 'loadBalance', 'cpu', 'rollover', 'random', 'queueMapping', 'cbpf', 'ebpf'] as const

for (const mode of anyMode) {
  for (const count of [2, 3, 4]) {
    test.serial(`${mode}: every frame arrives at exactly one of ${count} members`, async (t) => {
      const { a, b } = network(t)
      const group = members(t, b, count, { mode })
      await sendAll(injectorOn(t, a), numbered(600))
      const got = await shares(group, 600)
      eachOnce(t, got, upTo(600))
      t.is(
        group.reduce((sum, capture) => sum + capture.stats().packets, 0),
        600,
      )
      t.is(received(b), 600)
    })
  }
}

test.serial('hash keeps both directions of a flow together and uses every member', async (t) => {
  const { a, b } = network(t)
  const group = members(t, b, 3, { mode: 'hash' })
  const frames = upTo(60).flatMap((flow) =>
    upTo(4).flatMap((turn) => [udp(2000 + flow, 53, `question ${turn}`), udp(2000 + flow, 53, `answer ${turn}`, true)]),
  )
  await sendAll(injectorOn(t, a), frames)
  const got = await shares(group, frames.length)
  t.deepEqual(
    got
      .flat()
      .map(({ data }) => data.toString('hex'))
      .sort(),
    frames.map((bytes) => bytes.toString('hex')).sort(),
  )
  const flows = membersOfFlows(got)
  t.is(flows.size, 60)
  for (const [flow, at] of flows) t.is(at.size, 1, `flow ${flow}`)
  for (const packets of got) t.true(packets.length > 0)
})

test.serial('loadBalance gives each member the same number', async (t) => {
  const { a, b } = network(t)
  const group = members(t, b, 3, { mode: 'loadBalance' })
  await sendAll(injectorOn(t, a), numbered(300))
  t.deepEqual(
    (await shares(group, 300)).map(({ length }) => length),
    [100, 100, 100],
  )
})

test.serial('random uses every member', async (t) => {
  const { a, b } = network(t)
  const group = members(t, b, 4, { mode: 'random' })
  await sendAll(injectorOn(t, a), numbered(400))
  const got = await shares(group, 400)
  eachOnce(t, got, upTo(400))
  for (const packets of got) t.true(packets.length > 30, `${packets.length} of 400`)
})

test.serial('rollover fills one member and goes on to the next when it is full', async (t) => {
  const { a, b } = network(t)
  const group = members(t, b, 3, { mode: 'rollover' }, tight)
  const injector = injectorOn(t, a)
  await sendAll(
    injector,
    numbered(10).map((bytes) => Buffer.concat([bytes, Buffer.alloc(1000)])),
  )
  await arrived(group[0]!, 10)
  t.deepEqual(
    group.map((capture) => capture.stats().packets),
    [10, 0, 0],
    'the first while it has room',
  )
  await sendAll(
    injector,
    numbered(390, 10).map((bytes) => Buffer.concat([bytes, Buffer.alloc(1000)])),
  )
  const got = await shares(group, 400)
  eachOnce(t, got, upTo(400))
  const used = got.filter(({ length }) => length > 0).length
  t.true(used > 1, 'more than the first')
  t.deepEqual(
    group.map((capture) => capture.stats().drops),
    [0, 0, 0],
  )
})

test.serial('queueMapping over an interface of several queues keeps what comes by one queue together', async (t) => {
  const { a, b } = network(t, { queues: 2 })
  const group = members(t, b, 2, { mode: 'queueMapping' })
  const frames = upTo(40).flatMap((flow) => upTo(5).map((turn) => udp(3000 + flow, 53, String(turn))))
  await sendAll(injectorOn(t, a), frames)
  const got = await shares(group, frames.length)
  t.is(got.flat().length, frames.length)
  const flows = membersOfFlows(got)
  t.is(flows.size, 40)
  for (const [flow, at] of flows) t.is(at.size, 1, `flow ${flow}: one queue, one member`)
})

if (availableParallelism() > 1) {
  test.serial('cpu gives each packet to the member of the CPU that received it', async (t) => {
    const { a, b } = network(t)
    const pid = String(process.pid)
    const allowed = execFileSync('taskset', ['-cp', pid], { encoding: 'utf8' }).split(': ')[1]!.trim()
    t.teardown(() => execFileSync('taskset', ['-cp', allowed, pid]))
    const cpus = allowed.split(',').flatMap((range) => {
      const [from = 0, to = from] = range.split('-').map(Number)
      return upTo(to - from + 1).map((at) => from + at)
    })
    const injector = injectorOn(t, a)
    const group = members(t, b, 2, { mode: 'cpu' })
    const wanted: number[][] = [[], []]
    for (const [turn, cpu] of cpus.slice(0, 2).entries()) {
      execFileSync('taskset', ['-cp', String(cpu), pid])
      for (const number of upTo(50)) {
        injector.send(frame(60, turn * 50 + number))
        wanted[cpu % 2]!.push(turn * 50 + number)
      }
      t.is(injector.flush(), 50)
      await injector.drained()
    }
    t.deepEqual((await shares(group, 100)).map(numbers), wanted)
  })
}

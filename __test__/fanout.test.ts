/** A group shares the packets of an interface: each arrives at one member, whoever comes and goes. */
import test, { type ExecutionContext } from 'ava'
import { execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { NetringError, type Capture, type CaptureOptions, type FanoutOptions, type OwnedPacket } from '../src/index.js'
import { bpfExec, step } from './helpers/bpf.js'
import { flood, runModule } from './helpers/child.js'
import { ETHERTYPE, frame, numberOf, udp } from './helpers/frames.js'
import { ebpf, testThatNeeds } from './helpers/needs.js'
import { network, received, type End } from './helpers/network.js'
import { arrived, captureOn, injectorOn, receive, sendAll, shares, until } from './helpers/traffic.js'

const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number)
const numbered = (count: number, from = 0): Buffer[] => upTo(count).map((number) => frame(60, from + number))
const numbers = (packets: readonly OwnedPacket[]): number[] => packets.map(({ data }) => numberOf(data))
const sorted = (values: readonly number[]): number[] => [...values].sort((x, y) => x - y)

/** Members of one group, in the order in which they joined. */
function members(
  t: ExecutionContext,
  at: End,
  count: number,
  fanout: Omit<FanoutOptions, 'group'>,
  options: CaptureOptions = {},
): Capture[] {
  const [first, ...rest] = upTo(count)
  if (first === undefined) return []
  const ring = { blockCount: 32, ...options }
  const founder = captureOn(t, at, { ...ring, fanout: { ...fanout, group: 'unique' } })
  const group = founder.fanoutId!
  return [founder, ...rest.map(() => captureOn(t, at, { ...ring, fanout: { ...fanout, group } }))]
}

function eachOnce(t: ExecutionContext, got: readonly OwnedPacket[][], wanted: readonly number[], what?: string): void {
  t.deepEqual(sorted(got.flatMap(numbers)), wanted, what)
}

/** Packets that a member was given, with those that it had no room for. */
function counted(capture: Capture): number {
  const { packets, drops } = capture.cumulativeStats()
  return packets + drops
}

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

/** Of each UDP flow, by its ports, the members that got packets of it. */
function membersOfFlows(got: readonly OwnedPacket[][]): Map<string, Set<number>> {
  const flows = new Map<string, Set<number>>()
  for (const [member, packets] of got.entries()) {
    for (const { data } of packets) {
      const key = sorted([data.readUInt16BE(34), data.readUInt16BE(36)]).join()
      flows.set(key, (flows.get(key) ?? new Set()).add(member))
    }
  }
  return flows
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

const tight = { blockSize: 65536, blockCount: 4, blockTimeoutMs: 2000 } as const satisfies CaptureOptions

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

test.serial('cbpf: the program names the member, and attachFanoutProgram() replaces it', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  // The group's program sees a packet from behind its Ethernet header: byte 3 is the low one of the number.
  const program = [step.loadByte(3), step.modulo(3), step.returnA]
  const group = members(t, b, 3, { mode: 'cbpf', program })
  await sendAll(injector, numbered(90))
  t.deepEqual(
    (await shares(group, 90)).map(numbers),
    upTo(3).map((member) => upTo(90).filter((number) => number % 3 === member)),
  )
  group[2]!.attachFanoutProgram([step.return(1)])
  await sendAll(injector, numbered(30))
  t.deepEqual((await shares(group, 30)).map(numbers), [[], upTo(30), []])
  const refused = { instanceOf: NetringError, code: 'ERR_NETRING_SOCKOPT' } as const
  const error = t.throws(() => {
    group[0]!.attachFanoutProgram([step.jump(5)])
  }, refused) as NetringError | undefined
  t.is(error?.option, 'PACKET_FANOUT_DATA')
  await sendAll(injector, numbered(30))
  t.deepEqual((await shares(group, 30)).map(numbers), [[], upTo(30), []], 'the one before stays')
})

test.serial('a fanout program for a group of another mode, or for none, is refused', (t) => {
  const { b } = network(t)
  const program = [step.return(0)]
  for (const fanout of [undefined, { mode: 'hash', group: 'unique' }, { mode: 'ebpf', group: 'unique' }] as const) {
    const capture = captureOn(t, b, fanout === undefined ? {} : { fanout })
    const error = t.throws(
      () => {
        capture.attachFanoutProgram(program)
      },
      {
        instanceOf: NetringError,
        code: 'ERR_NETRING_SOCKOPT',
      },
    ) as NetringError | undefined
    t.is(error?.option, 'PACKET_FANOUT_DATA')
    t.is(error?.interface, b.name)
  }
  for (const mode of ['hash', 'ebpf'] as const) {
    t.throws(() => captureOn(t, b, { fanout: { mode, group: 'unique', program } }), { code: 'ERR_NETRING_CONFIG' })
  }
  t.throws(() => captureOn(t, b, { fanout: { mode: 'cbpf', group: 'unique', program: { fd: 0 } } }), {
    code: 'ERR_NETRING_CONFIG',
  })
})

testThatNeeds(ebpf, 'ebpf: the program names the member, and attachFanoutProgram() replaces it', (t) => {
  const { a, b } = network(t)
  const outcome = runModule(
    `
    const fd = (name) => Number(process.env['BPF_' + name])
    const injector = netring.Injector.open('va', { netns: '${a.netns}' })
    const open = (group) => netring.Capture.open('vb', { ...traffic.smallRing, netns: '${b.netns}',
      fanout: { mode: 'ebpf', group, program: { fd: fd('MEMBER') } } })
    const first = open('unique')
    const group = [first, open(first.fanoutId), open(first.fanoutId)]
    const shares = async () => {
      await traffic.sendAll(injector, Array.from({ length: 9 }, (_, number) => frames.frame(60, number)))
      const got = await traffic.shares(group, 9)
      return got.map((packets) => packets.map((packet) => frames.numberOf(packet.data)))
    }
    const code = (call) => {
      try { call() } catch (error) { return [error.code, error.option] }
    }
    const outcome = { member: await shares() }
    group[2].attachFanoutProgram({ fd: fd('SECOND') })
    outcome.second = await shares()
    outcome.refused = [0, 9999, fd('XDP')].map((wrong) => code(() => first.attachFanoutProgram({ fd: wrong })))
    outcome.kept = await shares()
    console.log(JSON.stringify(outcome))
    process.exit()`,
    [bpfExec(t)],
  )
  const second = [[], upTo(9), []]
  t.deepEqual(outcome, {
    member: [
      [0, 3, 6],
      [1, 4, 7],
      [2, 5, 8],
    ],
    second,
    refused: upTo(3).map(() => ['ERR_NETRING_SOCKOPT', 'PACKET_FANOUT_DATA']),
    kept: second,
  })
})

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

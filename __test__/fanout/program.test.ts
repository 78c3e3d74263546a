/** Programs that pick the member. */
import test from 'ava'
import { NetringError } from '../../src/index.js'
import { bpfExec, step } from '../helpers/bpf.js'
import { runModule } from '../helpers/child.js'
import { members } from '../helpers/fanout.js'
import { numbered, numbers, upTo } from '../../testkit/frames.mjs'
import { ebpf, testThatNeeds } from '../helpers/needs.js'
import { network } from '../helpers/network.js'
import { captureOn, injectorOn, sendAll, shares } from '../helpers/traffic.js'

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

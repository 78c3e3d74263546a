/** Only what the filter lets through is ever seen: at opening, after a change, after a refused change. */
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { NetringError, type Capture, type Filter } from '../src/index.js'
import { bpf, bpfExec, step } from './helpers/bpf.js'
import { flood, runModule } from './helpers/child.js'
import { ETHERTYPE, frame, numberOf, tagged, udp } from './helpers/frames.js'
import { ebpf, testThatNeeds } from './helpers/needs.js'
import { network } from './helpers/network.js'
import { arrived, captureOn, injectorOn, receive, receiveFor, sendAll, sendAsOne } from './helpers/traffic.js'

const OTHER = 0x88b6

function typed(type: number, number: number, length = 60): Buffer {
  const bytes = frame(length, number)
  bytes.writeUInt16BE(type, 12)
  return bytes
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number)
const types = (packets: readonly { readonly protocol: number }[]): number[] => [
  ...new Set(packets.map(({ protocol }) => protocol)),
]

const first = (): Filter => bpf('ether proto 0x88b5')
const second = (): Filter => bpf('ether proto 0x88b6')

test.serial('a program from tcpdump lets in what its expression says', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const frames = [
    udp(1000, 53, 'question'),
    udp(1000, 53, 'answer', true),
    udp(1000, 80, 'other'),
    frame(60, 1),
    frame(1000, 2),
    udp(53, 2000, 'from'),
  ]
  for (const [expression, wanted] of [
    ['udp port 53', [0, 1, 5]],
    ['udp dst port 53', [0]],
    ['not ip', [3, 4]],
    ['greater 500', [4]],
    ['ip src 10.0.0.2', [1]],
    ['ether[17] = 2', [4]],
    ['tcp', []],
  ] as const) {
    const capture = captureOn(t, b, { filter: bpf(expression) })
    await sendAll(injector, frames)
    const packets = wanted.length > 0 ? await receive(capture, wanted.length) : await receiveFor(capture, 100)
    t.deepEqual(
      packets.map(({ data }) => data.toString('hex')),
      wanted.map((index) => frames[index]!.toString('hex')),
      expression,
    )
    t.is(capture.stats().packets, wanted.length, expression)
    capture.close()
  }
})

test.serial('a capture opened under traffic never sees a packet that its filter refuses', async (t) => {
  const { a, b } = network(t)
  const sending = await flood(t, a, [ETHERTYPE, OTHER])
  for (let round = 0; round < 15; round++) {
    const capture = captureOn(t, b, { filter: round % 2 === 0 ? first() : second() })
    const packets = await receive(capture, 500)
    t.true(packets.length >= 500)
    t.deepEqual(types(packets), [round % 2 === 0 ? ETHERTYPE : OTHER])
    capture.close()
  }
  t.true((await sending.stop()) > 0)
})

test.serial('a capture opened under traffic with snapLen never sees an uncut packet', async (t) => {
  const { a, b } = network(t)
  await flood(t, a, [ETHERTYPE])
  for (let round = 0; round < 5; round++) {
    const capture = captureOn(t, b, { snapLen: 20 })
    const packets = await receive(capture, 300)
    t.true(packets.length >= 300)
    t.true(packets.every((packet) => packet.length === 20 && packet.originalLength === 60))
    capture.close()
  }
})

test.serial('setFilter() under traffic: no packet of the old filter is seen once it has returned', async (t) => {
  const { a, b } = network(t)
  await flood(t, a, [ETHERTYPE, OTHER])
  const capture = captureOn(t, b, { filter: first(), blockCount: 64 })
  for (let round = 1; round <= 12; round++) {
    await sleep(20)
    capture.setFilter(round % 2 === 0 ? first() : second())
    const packets = await receive(capture, 300)
    t.true(packets.length >= 300)
    t.deepEqual(types(packets), [round % 2 === 0 ? ETHERTYPE : OTHER], `round ${round}`)
  }
})

test.serial(
  'setFilter() discards what is in the ring, the open block included; what comes after arrives, all of it',
  async (t) => {
    const { a, b } = network(t)
    const injector = injectorOn(t, a)
    // 60 frames of 1500 bytes: one block full, one open for a long time.
    const capture = captureOn(t, b, { blockSize: 65536, blockCount: 16, blockTimeoutMs: 300, filter: first() })
    let passed = 0
    for (let round = 0; round < 4; round++) {
      const [old, next] = round % 2 === 0 ? [ETHERTYPE, OTHER] : [OTHER, ETHERTYPE]
      await sendAll(
        injector,
        upTo(60).map((number) => typed(old, number, 1500)),
      )
      passed += 60
      await arrived(capture, passed)
      capture.setFilter(round % 2 === 0 ? second() : first())
      const after = upTo(70)
      await sendAll(
        injector,
        after.flatMap((number) => [typed(next, number, 1500), typed(old, number, 1500)]),
      )
      passed += after.length
      const packets = await receive(capture, after.length)
      t.deepEqual(types(packets), [next])
      t.deepEqual(
        packets.map(({ data }) => numberOf(data)),
        after,
      )
      t.deepEqual(await receiveFor(capture, 400), [])
    }
    t.is(capture.cumulativeStats().drops, 0)
  },
)

test.serial('packets that both filters let in and that were in the ring are discarded with the rest', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const capture = captureOn(t, b)
  await sendAll(injector, [frame(60, 1)])
  await arrived(capture, 1)
  capture.setFilter(first())
  await sendAll(injector, [frame(60, 2)])
  const packets = await receive(capture, 1)
  t.deepEqual(
    packets.map(({ data }) => numberOf(data)),
    [2],
  )
})

test.serial('a batch that is held keeps its packets through setFilter()', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const capture = captureOn(t, b)
  const batch = await sendAsOne(injector, capture, [frame(60, 1), frame(60, 2)])
  await sendAll(injector, [frame(60, 3)])
  capture.setFilter(second())
  t.deepEqual(
    [...batch].map(({ data }) => numberOf(data)),
    [1, 2],
  )
  batch.release()
  await sendAll(injector, [typed(OTHER, 4), frame(60, 5)])
  const packets = await receive(capture, 1)
  t.deepEqual(
    packets.map(({ data }) => numberOf(data)),
    [4],
  )
})

test.serial('a reader that waits is not woken by what the new filter refuses', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const capture = captureOn(t, b, { filter: second() })
  let woken = false
  const wait = capture.readable({ signal: AbortSignal.timeout(5000) }).then(() => (woken = true))
  await sendAll(injector, [frame(60, 1)])
  await sleep(50)
  t.false(woken)
  capture.setFilter(first())
  await sendAll(injector, [frame(60, 2)])
  await wait
  const packets = await receive(capture, 1)
  t.deepEqual(
    packets.map(({ data }) => numberOf(data)),
    [2],
  )
})

test.serial('detachFilter() lets everything in from then on', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const capture = captureOn(t, b, { filter: second() })
  await sendAll(injector, [frame(60, 1), typed(OTHER, 2)])
  await arrived(capture, 1)
  capture.detachFilter()
  await sendAll(injector, [frame(60, 3), typed(OTHER, 4)])
  t.deepEqual(
    (await receive(capture, 2)).map(({ data }) => numberOf(data)),
    [3, 4],
  )
  capture.detachFilter()
  await sendAll(injector, [frame(60, 5)])
  t.deepEqual(
    (await receive(capture, 1)).map(({ data }) => numberOf(data)),
    [5],
    'with none to detach',
  )
})

test.serial('detachFilter() keeps snapLen', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { filter: second(), snapLen: 20 })
  capture.detachFilter()
  await sendAll(injectorOn(t, a), [frame(60, 3)])
  const [packet] = await receive(capture, 1)
  t.is(packet?.length, 20)
  t.is(packet?.originalLength, 60)
})

const invalid: Record<string, Filter> = {
  'a jump outside': [step.jump(5), step.return(1)],
  'a jump just behind the end': [step.jump(1), step.returnA],
  'a conditional jump outside': [{ code: 0x15, jt: 9, jf: 0, k: 0 }, step.returnA],
  'no return at the end': [step.jump(1), step.returnA, step.load(5)],
  'an unknown instruction': [{ code: 0xffff, jt: 0, jf: 0, k: 0 }, step.return(1)],
}

for (const [what, program] of Object.entries(invalid)) {
  for (const snapLen of [262_144, 60]) {
    test.serial(`a program with ${what} is refused, and what was is as it was (snapLen ${snapLen})`, async (t) => {
      const { a, b } = network(t)
      const injector = injectorOn(t, a)
      const refused = { instanceOf: NetringError, code: 'ERR_NETRING_FILTER' } as const
      t.throws(() => captureOn(t, b, { filter: program, snapLen }), refused)
      // A ring with full blocks, an open one, and a reader: a refusal takes nothing from it.
      const capture = captureOn(t, b, { blockSize: 65536, blockCount: 8, blockTimeoutMs: 50, filter: first(), snapLen })
      await sendAll(
        injector,
        upTo(60).map((number) => frame(1500, number)),
      )
      const error = t.throws(() => {
        capture.setFilter(program)
      }, refused) as NetringError | undefined
      t.is(error?.syscall, 'setsockopt')
      t.is(error?.interface, b.name)
      await sendAll(
        injector,
        upTo(10).flatMap((number) => [typed(OTHER, number), frame(1500, 60 + number)]),
      )
      const packets = await receive(capture, 70)
      t.deepEqual(
        packets.map(({ data }) => numberOf(data)),
        upTo(70),
      )
      t.deepEqual(types(packets), [ETHERTYPE])
    })
  }
}

test.serial('a refused change leaves the fence of the change before it', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const capture = captureOn(t, b, { filter: first() })
  await sendAll(injector, [frame(60, 1)])
  capture.setFilter(second())
  await sendAll(injector, [typed(OTHER, 2)])
  t.throws(
    () => {
      capture.setFilter([step.jump(9)])
    },
    { code: 'ERR_NETRING_FILTER' },
  )
  await sendAll(injector, [typed(OTHER, 3)])
  t.deepEqual(
    (await receive(capture, 2)).map(({ data }) => numberOf(data)),
    [2, 3],
  )
})

async function lengths(
  t: ExecutionContext,
  capture: Capture,
  send: () => Promise<void>,
): Promise<(number | boolean)[][]> {
  await send()
  const packets = await receive(capture, 4)
  t.is(packets.length, 4)
  return packets.map(({ length, originalLength, truncated }) => [length, originalLength, truncated])
}

test.serial('what a filter returns and snapLen both cut: the smaller one counts', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const send = (): Promise<void> => sendAll(injector, [frame(19), frame(20), frame(64), frame(1500)])
  const minusTwo = [step.loadLength, step.add(-2 >>> 0), step.returnA]
  for (const [program, snapLen, wanted] of [
    [[step.return(20)], 262_144, [19, 20, 20, 20]],
    [[step.return(20)], 64, [19, 20, 20, 20]],
    [[step.return(100)], 64, [19, 20, 64, 64]],
    [[step.return(0xffff_ffff)], 20, [19, 20, 20, 20]],
    [[step.loadLength, step.returnA], 262_144, [19, 20, 64, 1500]],
    [[step.loadLength, step.returnA], 64, [19, 20, 64, 64]],
    [minusTwo, 262_144, [17, 18, 62, 1498]],
    [minusTwo, 62, [17, 18, 62, 62]],
    [[step.load(16), step.jump(1), step.returnA, step.returnA], 64, [16, 16, 16, 16]],
  ] as const) {
    const whole = [19, 20, 64, 1500]
    const expected = wanted.map((length, index) => [length, whole[index]!, length < whole[index]!])
    const text = JSON.stringify([program, snapLen])
    const opened = captureOn(t, b, { filter: program, snapLen })
    t.deepEqual(await lengths(t, opened, send), expected, text)
    opened.close()
    const changed = captureOn(t, b, { snapLen })
    changed.setFilter(program)
    t.deepEqual(await lengths(t, changed, send), expected, text)
    changed.close()
  }
})

test.serial('a refusal stays one with snapLen', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  for (const program of [[step.return(0)], [step.load(0), step.returnA]]) {
    const capture = captureOn(t, b, { filter: program, snapLen: 64 })
    await sendAll(injector, [frame(60)])
    t.deepEqual(await receiveFor(capture, 60), [])
    capture.close()
  }
})

test.serial('a filter sees tagged frames without their tag, which is put back behind it', async (t) => {
  const { a, b } = network(t)
  const tag = { tpid: 0x8100, tci: 42 }
  const capture = captureOn(t, b, { filter: first() })
  await sendAll(injectorOn(t, a), [tagged(60, tag), typed(OTHER, 1)])
  const packets = await receive(capture, 1)
  t.deepEqual(
    packets.map(({ data }) => data.toString('hex')),
    [tagged(60, tag).toString('hex')],
  )
})

test.serial('an expression is not supported yet and says what is', (t) => {
  const { b } = network(t)
  const unsupported = { instanceOf: NetringError, code: 'ERR_NETRING_UNSUPPORTED', message: /tcpdump -ddd/ } as const
  t.throws(() => captureOn(t, b, { filter: 'udp port 53' }), unsupported)
  const capture = captureOn(t, b)
  t.throws(() => {
    capture.setFilter('udp port 53')
  }, unsupported)
})

test.serial('a program that is no program is an argument error by name', (t) => {
  const { b } = network(t)
  const capture = captureOn(t, b)
  for (const [filter, code, message] of [
    [[], 'ERR_INVALID_ARG_VALUE', /^filter must have 1 to 4096/],
    [Array(4097).fill(step.return(1)), 'ERR_INVALID_ARG_VALUE', /^filter must have 1 to 4096/],
    [[step.return(1), null], 'ERR_INVALID_ARG_TYPE', /^filter\[1\]/],
    [[{ jt: 0, jf: 0, k: 0 }], 'ERR_INVALID_ARG_TYPE', /^filter\[0\]\.code/],
    [[{ ...step.return(1), jt: 256 }], 'ERR_OUT_OF_RANGE', /^filter\[0\]\.jt/],
    [[{ ...step.return(1), k: -1 }], 'ERR_OUT_OF_RANGE', /^filter\[0\]\.k/],
    [{ fd: -1 }, 'ERR_OUT_OF_RANGE', /^filter\.fd/],
    [{ fd: '3' }, 'ERR_INVALID_ARG_TYPE', /^filter\.fd/],
    [{}, 'ERR_INVALID_ARG_TYPE', /^filter\.fd/],
    [{ fd: 3, pinned: true }, 'ERR_INVALID_ARG_VALUE', /^filter\.pinned/],
    [7, 'ERR_INVALID_ARG_TYPE', /^filter must/],
    [null, 'ERR_INVALID_ARG_TYPE', /^filter must/],
    [undefined, 'ERR_INVALID_ARG_TYPE', /^filter must/],
  ] as const) {
    t.throws(
      () => {
        capture.setFilter(filter as Filter)
      },
      { code, message },
    )
  }
})

testThatNeeds(ebpf, 'eBPF programs filter, cut and replace each other; what is no such program is refused', (t) => {
  const { a, b } = network(t)
  const outcome = runModule(
    `
    const fd = (name) => Number(process.env['BPF_' + name])
    const injector = netring.Injector.open('va', { netns: '${a.netns}' })
    const open = (options) => netring.Capture.open('vb', { ...traffic.smallRing, netns: '${b.netns}', ...options })
    const other = frames.frame(60, 9)
    other.writeUInt16BE(0x88b6, 12)
    const seen = async (capture, count) => {
      await traffic.sendAll(injector, [frames.frame(60, 1), other, frames.frame(100, 2)])
      const packets = await traffic.receiveNoMoreThan(capture, count)
      return packets.map((packet) => [frames.numberOf(packet.data), packet.length, packet.originalLength])
    }
    const code = (call) => {
      try { call() } catch (error) { return [error.name, error.code] }
    }
    const outcome = {}
    const capture = open({ filter: { fd: fd('TYPE') } })
    outcome.type = await seen(capture, 2)
    capture.setFilter({ fd: fd('CUT') })
    outcome.cut = await seen(capture, 3)
    const { packets } = capture.cumulativeStats()
    await traffic.sendAll(injector, [frames.frame(60, 77)])
    await traffic.arrived(capture, packets + 1)
    capture.setFilter({ fd: fd('TYPE') })
    outcome.again = await seen(capture, 2)
    outcome.refused = [0, 9999, fd('XDP')].map((wrong) => code(() => capture.setFilter({ fd: wrong })))
    outcome.kept = await seen(capture, 2)
    outcome.notOpened = [0, 9999, fd('XDP')].map((wrong) => code(() => open({ filter: { fd: wrong } })))
    capture.setFilter({ fd: fd('ALL') })
    outcome.all = await seen(capture, 3)
    outcome.snapLen = await seen(open({ filter: { fd: fd('TYPE') }, snapLen: 30 }), 2)
    capture.detachFilter()
    outcome.detached = await seen(capture, 3)
    console.log(JSON.stringify(outcome))
    process.exit()`,
    [bpfExec(t)],
  )
  const all = [
    [1, 60, 60],
    [9, 60, 60],
    [2, 100, 100],
  ]
  const ours = [all[0], all[2]]
  const refused = Array.from({ length: 3 }, () => ['NetringError', 'ERR_NETRING_FILTER'])
  t.deepEqual(outcome, {
    type: ours,
    cut: [
      [1, 20, 60],
      [9, 20, 60],
      [2, 20, 100],
    ],
    again: ours,
    refused,
    kept: ours,
    notOpened: refused,
    all,
    snapLen: [
      [1, 30, 60],
      [2, 30, 100],
    ],
    detached: all,
  })
})

test.serial('a stream goes on through setFilter()', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const capture = captureOn(t, b, { filter: first() })
  const stream = capture.stream({ signal: AbortSignal.timeout(5000) })
  const next = async (): Promise<number> => {
    const [packet] = (await once(stream, 'data')) as [{ data: Buffer }]
    return numberOf(packet.data)
  }
  let packet = next()
  await sendAll(injector, [frame(60, 1)])
  t.is(await packet, 1)
  capture.setFilter(second())
  packet = next()
  await sendAll(injector, [frame(60, 2), typed(OTHER, 3)])
  t.is(await packet, 3)
  stream.on('error', () => undefined).destroy()
})

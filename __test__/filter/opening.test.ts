/** Only what the filter lets through is ever seen, from the first packet on. */
import test, { type ExecutionContext } from 'ava'
import type { Capture, Filter } from '../../src/index.js'
import { bpf, step } from '../helpers/bpf.js'
import { flood } from '../helpers/child.js'
import { OTHER, first, second, typed, types } from '../helpers/ethertypes.js'
import { ETHERTYPE, frame, tagged, udp } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { captureOn, injectorOn, receive, receiveFor, sendAll } from '../helpers/traffic.js'

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

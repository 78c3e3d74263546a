/** A program that the kernel refuses changes nothing. */
import test from 'ava'
import { type Filter, NetringError } from '../../src/index.js'
import { step } from '../helpers/bpf.js'
import { OTHER, first, second, typed, types } from '../helpers/ethertypes.js'
import { ETHERTYPE, frame, numberOf, upTo } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { captureOn, injectorOn, receive, sendAll } from '../helpers/traffic.js'

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

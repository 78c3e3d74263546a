/** A pool starts as a whole, while packets keep coming. */
import test from 'ava'
import { setTimeout as sleep } from 'node:timers/promises'
import { step } from '../helpers/bpf.js'
import { flood } from '../helpers/child.js'
import { sorted } from '../helpers/fanout.js'
import { ETHERTYPE, numbered, upTo } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { collected, module, poolOn } from '../helpers/pool.js'
import { injectorOn, sendAll, until } from '../helpers/traffic.js'

/** Numbers of frames that nobody else sends. */
const OWN = 1_000_000_000

test.serial('from its first packet on each worker has all of its share and nothing of another one', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const workers = 3
  // The group's program sees a packet from behind its Ethernet header: byte 3 is the low one of the number.
  const program = [step.loadByte(3), step.modulo(workers), step.returnA]
  const memberOf = (number: number): number => (number & 0xff) % workers
  for (let round = 0; round < 5; round++) {
    const sending = await flood(t, a, [ETHERTYPE])
    const capture = { blockCount: 256 }
    const pool = await poolOn(t, b, module('numbers'), { workers, mode: 'cbpf', program, capture })
    const { shares, total } = collected<number>(pool)
    // Sent once start() has resolved: all of these arrive.
    await sendAll(injector, numbered(300, OWN))
    await sleep(100)
    const sent = await sending.stop()
    await until(() => shares.some((share) => share.includes(sent - 1)))
    await total(shares.flat().length)
    await pool.stop()
    const { packets, drops } = await pool.cumulativeStats()
    t.is(drops, 0)
    t.is(packets, shares.flat().length, 'what was counted was seen')
    t.deepEqual(
      sorted(shares.flat().filter((number) => number >= OWN)),
      upTo(300).map((number) => OWN + number),
    )
    for (const [worker, share] of shares.entries()) {
      const numbers = share.filter((number) => number < OWN)
      const [first = 0, last = 0] = [numbers[0], numbers.at(-1)]
      const wanted = upTo(last - first + 1)
        .map((at) => first + at)
        .filter((number) => memberOf(number) === worker)
      t.true(numbers.length > 100, `${numbers.length} packets`)
      t.deepEqual(numbers, wanted, `worker ${worker}`)
      t.true(sent - last <= workers, 'to the end')
    }
    const firsts = shares.map((share) => share[0] ?? 0)
    t.log(`first packets: ${firsts.map((first) => first - Math.min(...firsts)).join(', ')} after the first of all`)
  }
})

test.serial('no flow is at two workers, although the group is made while packets come', async (t) => {
  const { a, b } = network(t)
  const make = `frames.udp(2000 + number % 64, 53, String(number).padStart(10), number % 128 >= 64)`
  const sending = await flood(t, a, [0x0800], make)
  for (let round = 0; round < 5; round++) {
    const pool = await poolOn(t, b, module('flows'), { workers: 4, capture: { blockCount: 128 } })
    const flows = upTo(4).map(() => new Set<number>())
    let firsts = 0
    pool.on('message', (message, worker) => {
      firsts++
      for (const port of message as number[]) flows[worker]!.add(port)
    })
    await sleep(100)
    await pool.stop()
    t.true(firsts >= 4)
    const all = flows.flatMap((ports) => [...ports])
    t.deepEqual(sorted(all), sorted([...new Set(all)]), 'each at one worker only')
    t.is(new Set(all).size, 64)
  }
  await sending.stop()
})

test.serial('with a filter a worker sees only what it lets in, from its first packet on', async (t) => {
  const { a, b } = network(t)
  const sending = await flood(t, a, [ETHERTYPE, 0x88b6])
  // ldh [12]; jeq #0x88b5, 0, 1; ret #-1; ret #0
  const filter = [
    { code: 0x28, jt: 0, jf: 0, k: 12 },
    { code: 0x15, jt: 0, jf: 1, k: ETHERTYPE },
    step.return(0xffff_ffff),
    step.return(0),
  ]
  const pool = await poolOn(t, b, module('collect'), { mode: 'random', capture: { filter, blockCount: 128 } })
  const { shares } = collected<string>(pool)
  await sleep(100)
  await pool.stop()
  await sending.stop()
  for (const share of shares) {
    t.true(share.length > 100)
    t.true(share.every((packet) => packet.slice(24, 28) === '88b5'))
  }
})

/** Each packet goes to one worker, by the mode and the flags of the group. */
import test from 'ava'
import { availableParallelism } from 'node:os'
import { FanoutPool, suggestFanoutThreads, type FanoutMode } from '../../src/index.js'
import { bpfExec, step } from '../helpers/bpf.js'
import { runModule } from '../helpers/child.js'
import { sorted, tight } from '../helpers/fanout.js'
import { numbered, udp, upTo } from '../../testkit/frames.mjs'
import { ebpf, testThatNeeds } from '../helpers/needs.js'
import { network } from '../helpers/network.js'
import { collected, counted, module, poolOn } from '../helpers/pool.js'
import { injectorOn, sendAll } from '../helpers/traffic.js'

// 'ebpf' has tests of its own.
const modes = ['hash', 'loadBalance', 'cpu', 'rollover', 'random', 'queueMapping', 'cbpf'] as const

for (const mode of modes) {
  for (const workers of [1, 3]) {
    test.serial(`${mode}: every frame arrives at exactly one of ${workers} workers, and is counted once`, async (t) => {
      const { a, b } = network(t)
      const pool = await poolOn(t, b, module('numbers'), {
        mode,
        workers,
        ...(mode === 'cbpf' && { program: [step.loadByte(3), step.modulo(workers), step.returnA] }),
      })
      t.is(pool.workers.length, workers)
      const { shares, total } = collected<number>(pool)
      await sendAll(injectorOn(t, a), numbered(600))
      t.is(await total(600), 600)
      t.deepEqual(sorted(shares.flat()), upTo(600))
      const stats = await pool.stats()
      t.deepEqual(
        stats.perWorker.map(({ packets }) => packets),
        shares.map(({ length }) => length),
      )
      t.like(stats, { packets: 600, drops: 0 })
      await pool.stop()
      t.is(pool.closed, true)
    })
  }
}

test.serial('hash keeps both directions of a flow at one worker and uses every worker', async (t) => {
  const { a, b } = network(t)
  const pool = await poolOn(t, b, module('collect'), { workers: 3 })
  const { shares, total } = collected<string>(pool)
  const frames = upTo(60).flatMap((flow) =>
    upTo(4).flatMap((turn) => [udp(2000 + flow, 53, `question ${turn}`), udp(2000 + flow, 53, `answer ${turn}`, true)]),
  )
  await sendAll(injectorOn(t, a), frames)
  t.is(await total(frames.length), frames.length)
  t.deepEqual(shares.flat().sort(), frames.map((bytes) => bytes.toString('hex')).sort())
  const flows = new Map<string, Set<number>>()
  for (const [worker, packets] of shares.entries()) {
    t.true(packets.length > 0)
    for (const packet of packets) {
      const data = Buffer.from(packet, 'hex')
      const key = sorted([data.readUInt16BE(34), data.readUInt16BE(36)]).join()
      flows.set(key, (flows.get(key) ?? new Set()).add(worker))
    }
  }
  t.is(flows.size, 60)
  for (const [flow, at] of flows) t.is(at.size, 1, `flow ${flow}`)
})

test.serial("a worker's number in the group is its index: cbpf, loadBalance, rollover", async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const shareOf = async (options: { readonly mode: FanoutMode; readonly program?: object }): Promise<number[][]> => {
    const pool = await poolOn(t, b, module('numbers'), { workers: 4, ...options } as never)
    const { shares, total } = collected<number>(pool)
    await sendAll(injector, numbered(80))
    t.is(await total(80), 80)
    await pool.stop()
    return shares
  }
  // The group's program sees a packet from behind its Ethernet header: byte 3 is the low one of the number.
  const program = [step.loadByte(3), step.modulo(4), step.returnA]
  t.deepEqual(
    await shareOf({ mode: 'cbpf', program }),
    upTo(4).map((worker) => upTo(80).filter((number) => number % 4 === worker)),
  )
  t.deepEqual(
    (await shareOf({ mode: 'loadBalance' })).map(({ length }) => length),
    [20, 20, 20, 20],
  )
  t.deepEqual(await shareOf({ mode: 'rollover' }), [upTo(80), [], [], []])
})

test.serial('the flag rollover takes what one worker cannot hold to another', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const frames = upTo(400).map((number) => udp(5, 6, String(number).padStart(1000)))
  for (const rollover of [false, true]) {
    const pool = await poolOn(t, b, module('idle'), { workers: 3, rollover, capture: tight })
    await sendAll(injector, frames)
    const { packets, drops } = await counted(pool, 400)
    t.is(packets + drops, 400)
    t.is(drops > 0, !rollover)
    const used = (await pool.stats()).perWorker.filter((worker) => worker.packets > 0).length
    if (rollover) t.true(used > 1)
    else t.is(used, 1)
    await pool.stop()
  }
})

test.serial('the flag ignoreOutgoing leaves out what this host sends, given in either place', async (t) => {
  const { a, b } = network(t)
  const [ours, theirs] = [injectorOn(t, a), injectorOn(t, b)]
  const flag = { mode: 'loadBalance', group: 'unique', ignoreOutgoing: true } as const
  for (const [options, wanted] of [
    [{}, upTo(40)],
    [{ ignoreOutgoing: true }, upTo(20)],
    [{ capture: { ignoreOutgoing: true } }, upTo(20)],
    [{ capture: { fanout: flag } }, upTo(20)],
  ] as const) {
    const pool = await poolOn(t, a, module('numbers'), { mode: 'loadBalance', ...options })
    const { shares, total } = collected<number>(pool)
    await sendAll(theirs, numbered(20))
    await sendAll(ours, numbered(20, 20))
    await total(wanted.length)
    t.deepEqual(sorted(shares.flat()), wanted)
    await pool.stop()
  }
})

test.serial('the flag defrag hands a datagram that came in pieces to one worker, whole', async (t) => {
  const { a, b } = network(t)
  // Two fragments of a UDP datagram of 24 bytes of payload: 16 (with the UDP header) and 16.
  const whole = udp(4000, 53, 'x'.repeat(24))
  const fragments = [0, 1].map((part) => {
    const head = Buffer.from(whole.subarray(0, 34))
    head.writeUInt16BE(20 + 16, 16)
    head.writeUInt16BE(7, 18)
    head.writeUInt16BE(part === 0 ? 0x2000 : 2, 20)
    head.writeUInt16BE(0, 24)
    let sum = 0
    for (let at = 14; at < 34; at += 2) sum += head.readUInt16BE(at)
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
    head.writeUInt16BE(~sum & 0xffff, 24)
    return Buffer.concat([head, whole.subarray(34 + 16 * part, 50 + 16 * part)])
  })
  const injector = injectorOn(t, a)
  for (const defrag of [false, true]) {
    const pool = await poolOn(t, b, module('collect'), { workers: 3, defrag })
    const { shares, total } = collected<string>(pool)
    await sendAll(injector, fragments)
    t.is(await total(defrag ? 1 : 2), defrag ? 1 : 2)
    const [first = ''] = shares.flat()
    t.is(first.endsWith('78'.repeat(24)), defrag)
    await pool.stop()
  }
})

testThatNeeds(ebpf, 'ebpf: the program names the worker', (t) => {
  const { a, b } = network(t)
  const outcome = runModule(
    `
    import { once } from 'node:events'
    const injector = netring.Injector.open('va', { netns: '${a.netns}' })
    const pool = await netring.FanoutPool.start('vb', '${module('numbers').href}', {
      workers: 3, mode: 'ebpf', program: { fd: Number(process.env.BPF_MEMBER) },
      capture: { ...traffic.smallRing, netns: '${b.netns}' } })
    const shares = [[], [], []]
    pool.on('message', (numbers, worker) => shares[worker].push(...numbers))
    await traffic.sendAll(injector, Array.from({ length: 9 }, (_, number) => frames.frame(60, number)))
    await traffic.until(() => shares.flat().length >= 9)
    await pool.stop()
    injector.close()
    console.log(JSON.stringify(shares))`,
    [bpfExec(t)],
  )
  t.deepEqual(outcome, [
    [0, 3, 6],
    [1, 4, 7],
    [2, 5, 8],
  ])
})

test.serial('without options: a worker a CPU, in a group of their own', async (t) => {
  const { b } = network(t)
  const capture = { blockSize: 65536, blockCount: 4, netns: b.netns }
  const one = await FanoutPool.start(b.name, module('idle'), { capture })
  const two = await FanoutPool.start(b.name, module('idle'), { capture })
  t.is(one.workers.length, availableParallelism())
  t.is(one.workers.length, suggestFanoutThreads(b.name, { netns: b.netns }))
  t.is(typeof one.fanoutId, 'number')
  t.not(one.fanoutId, two.fanoutId)
  await Promise.all([one.stop(), two.stop()])
})

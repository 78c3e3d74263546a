/** What is received is what was sent: bytes, order, tags, times, counts. */
import test from 'ava'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Capture, PacketStatus } from '../src/index.js'
import { ETHERTYPE, frame, numberOf, tagged } from './helpers/frames.js'
import { tcpdump, testThatNeeds } from './helpers/needs.js'
import { network } from './helpers/network.js'
import { record } from './helpers/tcpdump.js'
import {
  captureOn,
  injectorOn,
  receive,
  receiveFor,
  receiveUntilSilent,
  sendAll,
  sendAsOne,
  until,
} from './helpers/traffic.js'

test.serial('frames of every size arrive byte for byte', async (t) => {
  const { a, b } = network(t, { mtu: 65535 })
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a, { frameSize: 65549, frameCount: 32 })
  const sizes = [14, 15, 17, 59, 60, 61, 1499, 1500, 1514, 8999, 9000, 9014, 65000, 65001, 65535]
  const frames = sizes.map((size, index) => frame(size, index))
  await sendAll(injector, frames)
  const packets = await receive(capture, frames.length)
  t.deepEqual(
    packets.map((packet) => packet.length),
    sizes,
  )
  for (const [index, packet] of packets.entries()) {
    t.true(packet.data.equals(frames[index] ?? Buffer.alloc(0)), `frame of ${String(sizes[index])} bytes`)
    t.is(packet.originalLength, sizes[index] ?? -1)
    t.false(packet.truncated)
    t.is(packet.protocol, ETHERTYPE)
    t.is(packet.sourceAddress, '02:00:00:00:00:01')
    t.is(packet.direction, 'otherHost')
  }
})

test.serial('ten thousand frames arrive once each and in order', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockCount: 64, blockTimeoutMs: 100 })
  const injector = injectorOn(t, a)
  const frames = Array.from({ length: 10_000 }, (_, number) => frame(60 + (number % 1400), number))
  await sendAll(injector, frames)
  const packets = await receive(capture, frames.length)
  t.deepEqual(
    packets.map((packet) => numberOf(packet.data)),
    frames.map((_, number) => number),
  )
  t.true(packets.every((packet, index) => packet.data.equals(frames[index] ?? Buffer.alloc(0))))
  t.deepEqual(capture.cumulativeStats(), { packets: 10_000, drops: 0, freezeCount: 0 })
})

const outer = { tpid: 0x88a8, tci: 0x6001 }
const inner = { tpid: 0x8100, tci: 0x2fff }

test.serial('VLAN tags are put back by default', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const frames = [tagged(60, inner), tagged(61, outer, inner), frame(60), tagged(1500, { tpid: 0x8100, tci: 0 })]
  await sendAll(injectorOn(t, a), frames)
  const packets = await receive(capture, frames.length)
  for (const [index, packet] of packets.entries()) {
    t.is(packet.data.toString('hex'), frames[index]?.toString('hex') ?? '')
    t.is(packet.originalLength, frames[index]?.length ?? -1)
    t.false(packet.truncated)
  }
  t.deepEqual(
    packets.map(({ vlanValid, vlanTpidValid, vlanTci, vlanTpid }) => [vlanValid, vlanTpidValid, vlanTci, vlanTpid]),
    [
      [true, true, inner.tci, inner.tpid],
      [true, true, outer.tci, outer.tpid],
      [false, false, 0, 0],
      [true, true, 0, 0x8100],
    ],
  )
})

test.serial("vlan: 'metadata' leaves the frame as the kernel made it", async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { vlan: 'metadata' })
  await sendAll(injectorOn(t, a), [tagged(60, inner), tagged(60, outer, inner)])
  const [single, double] = await receive(capture, 2)
  t.is(single?.data.toString('hex'), frame(60).toString('hex'))
  t.is(single?.vlanTci, inner.tci)
  t.is(double?.data.toString('hex'), tagged(60, inner).toString('hex'))
  t.is(double?.vlanTpid, outer.tpid)
})

test.serial('snapLen cuts, and truncated is true exactly when it did', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { snapLen: 64 })
  const frames = [frame(63), frame(64), frame(65), frame(1500), tagged(60, inner), tagged(62, inner)]
  await sendAll(injectorOn(t, a), frames)
  const packets = await receive(capture, frames.length)
  for (const [index, packet] of packets.entries()) {
    const sent = frames[index] ?? Buffer.alloc(0)
    t.is(packet.data.toString('hex'), sent.subarray(0, 64).toString('hex'))
    t.is(packet.originalLength, sent.length)
    t.is(packet.truncated, sent.length > 64)
  }
})

test.serial('columns, packets and copies say the same', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const frames = [frame(60, 1), tagged(70, inner), frame(1500, 3)]
  const batch = await sendAsOne(injectorOn(t, a), capture, frames)
  t.is(batch.length, 3)
  const { columns, buffer } = batch
  const copies = batch.copy()
  for (const [index, packet] of [...batch].entries()) {
    const copy = copies[index]
    const at = columns.offset[index] ?? 0
    const bytes = buffer.subarray(at, at + (columns.capturedLength[index] ?? 0))
    t.true(bytes.equals(frames[index] ?? Buffer.alloc(0)))
    t.true(packet.data.equals(bytes))
    t.deepEqual(JSON.parse(JSON.stringify(copy)), JSON.parse(JSON.stringify(packet)))
    t.is(
      packet.timestamp,
      BigInt(columns.seconds[index] ?? 0) * 1_000_000_000n + BigInt(columns.nanoseconds[index] ?? 0),
    )
    t.is(packet.rxhash, columns.rxhash[index] ?? -1)
    t.is(packet.vlanValid, ((columns.status[index] ?? 0) & PacketStatus.vlanValid) !== 0)
    t.is(packet.protocol, columns.protocol[index] ?? -1)
  }
  t.is(batch.firstTimestamp, copies[0]?.timestamp ?? 0n)
  t.is(batch.lastTimestamp, copies[2]?.timestamp ?? 0n)
  t.is(batch.at(-1)?.length, 1500)
  t.is(batch.at(3), undefined)
  t.is(batch.at(-4), undefined)
  const lone = batch.at(1)?.copy()
  batch.release()
  t.true(lone?.data.equals(frames[1] ?? Buffer.alloc(0)))
  t.is(lone?.vlanTci, inner.tci)
  t.true(copies[2]?.data.equals(frames[2] ?? Buffer.alloc(0)))
})

test.serial('timestamps are those of arrival', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const before = BigInt(Date.now()) * 1_000_000n
  await sendAll(injectorOn(t, a), [frame(60, 1), frame(60, 2)])
  const after = BigInt(Date.now() + 1) * 1_000_000n
  const [first, second] = await receive(capture, 2)
  t.true(first !== undefined && first.timestamp >= before && first.timestamp <= after)
  t.true(
    second !== undefined && first !== undefined && second.timestamp >= first.timestamp && second.timestamp <= after,
  )
})

test.serial('every timestamp source opens, and falls back to software where the hardware has no clock', async (t) => {
  const { a, b } = network(t)
  for (const timestampSource of ['software', 'rawHardware', 'systemHardware'] as const) {
    const capture = captureOn(t, b, { timestampSource })
    await sendAll(injectorOn(t, a), [frame(60)])
    const [packet] = await receive(capture, 1)
    t.true(packet !== undefined && Math.abs(packet.seconds - Date.now() / 1000) < 60, timestampSource)
    capture.close()
  }
})

test.serial('what a ring cannot hold is counted: sent = seen + dropped', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockSize: 65536, blockCount: 2 })
  const injector = injectorOn(t, a)
  const sent = 5000
  await sendAll(
    injector,
    Array.from({ length: sent }, (_, number) => frame(200, number)),
  )
  let seen = 0
  let losing = false
  // Without looking at the statistics: reading them is what ends `losing`.
  for (const packet of await receiveUntilSilent(capture, 200)) {
    t.is(numberOf(packet.data), seen++, 'what is seen is the beginning, in order')
    losing ||= packet.losing
  }
  const { packets, drops, freezeCount } = capture.cumulativeStats()
  t.is(packets, seen)
  t.is(seen + drops, sent)
  t.true(drops > 0 && freezeCount > 0)
  await sendAll(injector, [frame(60, 1)])
  const [next] = await receive(capture, 1)
  t.is(next === undefined ? undefined : numberOf(next.data), 1, 'the ring goes on')
  t.true(losing || next?.losing, 'the first packet after the gap says so')
  t.is(capture.cumulativeStats().packets, seen + 1)
})

test.serial('stats() and cumulativeStats() do not disturb each other', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  await sendAll(injector, [frame(60), frame(60)])
  await receive(capture, 2)
  t.is(capture.cumulativeStats().packets, 2)
  t.is(capture.stats().packets, 2)
  t.is(capture.stats().packets, 0)
  await sendAll(injector, [frame(60)])
  await receive(capture, 1)
  t.is(capture.cumulativeStats().packets, 3)
  t.is(capture.cumulativeStats().packets, 3)
  t.is(capture.stats().packets, 1)
})

test.serial('several batches are held at once and released in any order', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockSize: 65536, blockCount: 4 })
  const injector = injectorOn(t, a)
  const take = async (number: number): Promise<ReturnType<Capture['nextBatch']>> => {
    await sendAll(injector, [frame(60, number)])
    await capture.readable({ signal: AbortSignal.timeout(5000) })
    return capture.nextBatch()
  }
  const [first, second, third] = [await take(1), await take(2), await take(3)]
  t.deepEqual(
    [first, second, third].map((batch) => numberOf(batch?.at(0)?.data ?? Buffer.alloc(18))),
    [1, 2, 3],
  )
  second?.release()
  t.is(numberOf(first?.at(0)?.data ?? Buffer.alloc(18)), 1)
  third?.release()
  first?.release()
  for (let number = 4; number < 20; number++) {
    const batch = await take(number)
    t.is(numberOf(batch?.at(0)?.data ?? Buffer.alloc(18)), number)
    batch?.release()
  }
  t.is(capture.cumulativeStats().drops, 0)
})

test.serial('a reader that sleeps while it holds the newest block is not woken', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  await sendAll(injectorOn(t, a), [frame(60)])
  await capture.readable()
  using batch = capture.nextBatch()
  t.is(batch?.length, 1)
  const used = process.cpuUsage()
  await t.throwsAsync(capture.readable({ signal: AbortSignal.timeout(500) }), { any: true, name: 'TimeoutError' })
  const { user, system } = process.cpuUsage(used)
  t.true(user + system < 250_000, `${String(user + system)} us of CPU in 500 ms of waiting`)
  const blocked = process.cpuUsage()
  t.is(capture.nextBatchBlocking(500), undefined)
  const spent = process.cpuUsage(blocked)
  t.true(spent.user + spent.system < 250_000)
})

test.serial('nextBatch() does not block, nextBatchBlocking() does, up to its time', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { pollTimeoutMs: 50 })
  t.is(capture.nextBatch(), undefined)
  const start = performance.now()
  t.is(capture.nextBatchBlocking(), undefined)
  t.true(performance.now() - start >= 49)
  t.is(capture.nextBatchBlocking(0), undefined)
  const injector = injectorOn(t, a)
  injector.send(frame(60))
  injector.flush()
  using batch = capture.nextBatchBlocking(5000)
  t.is(batch?.length, 1)
  await sleep(0)
})

test.serial('a blocked event loop loses nothing that the ring can hold', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockCount: 32, blockTimeoutMs: 100 })
  const injector = injectorOn(t, a, { frameCount: 8192 })
  injector.sendBatch(Array.from({ length: 8000 }, (_, number) => frame(100, number)))
  t.is(injector.flush(), 8000)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
  t.is((await receive(capture, 8000)).length, 8000)
  t.is(capture.stats().drops, 0)
})

test.serial('one batch a turn: a full ring does not starve timers', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockSize: 65536, blockCount: 64 })
  await sendAll(
    injectorOn(t, a),
    Array.from({ length: 4000 }, (_, number) => frame(600, number)),
  )
  let turns = 0
  const timer = setInterval(() => turns++, 0)
  let batches = 0
  for await (const batch of capture) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2)
    batches += batch.length > 0 ? 1 : 0
    if (batches === 20) break
  }
  clearInterval(timer)
  t.true(turns >= 10, `${String(turns)} turns of a timer in 20 batches`)
  t.false(capture.closed, 'leaving the loop does not close')
})

test.serial('for await releases each batch and ends on close', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockSize: 65536, blockCount: 4 })
  const injector = injectorOn(t, a)
  const seen: number[] = []
  let last: { readonly released: boolean } | undefined
  const reading = (async () => {
    for await (const batch of capture) {
      t.not(last?.released, false)
      last = batch
      for (const packet of batch) seen.push(numberOf(packet.data))
    }
  })()
  for (let number = 0; number < 10; number++) {
    await sendAll(injector, [frame(60, number)])
    await sleep(15)
  }
  await until(() => seen.length >= 10)
  capture.close()
  await reading
  t.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  t.true(last?.released)
})

test.serial('aborting a wait rejects with the reason of the signal', async (t) => {
  const { b } = network(t)
  const capture = captureOn(t, b)
  const reason = new Error('enough')
  const controller = new AbortController()
  const waits = [
    capture.readable({ signal: controller.signal }),
    capture.recv({ signal: controller.signal }),
    (async () => {
      for await (const packet of capture.packetsAsync({ signal: controller.signal })) t.log(packet)
    })(),
  ]
  setTimeout(() => {
    controller.abort(reason)
  }, 20)
  for (const wait of waits) t.is(await t.throwsAsync(wait), reason)
  t.is(await t.throwsAsync(capture.readable({ signal: AbortSignal.abort(reason) })), reason)
})

test.serial('closing rejects who waits', async (t) => {
  const { b } = network(t)
  const capture = captureOn(t, b)
  const waits = [capture.readable(), capture.recv(), capture.readable()]
  setTimeout(() => {
    capture.close()
  }, 20)
  for (const wait of waits) await t.throwsAsync(wait, { code: 'ERR_NETRING_CLOSED' })
  await t.throwsAsync(capture.readable(), { code: 'ERR_NETRING_CLOSED' })
  t.throws(() => capture.nextBatch(), { code: 'ERR_NETRING_CLOSED' })
  t.throws(() => capture.nextBatchBlocking(), { code: 'ERR_NETRING_CLOSED' })
  t.throws(() => capture.stats(), { code: 'ERR_NETRING_CLOSED' })
  t.throws(
    () => {
      capture.detachFilter()
    },
    { code: 'ERR_NETRING_CLOSED' },
  )
  capture.close()
  t.deepEqual([...capture.packets()], [])
})

test.serial('packets() ends by count, by time and at a moment', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  await sendAll(
    injector,
    Array.from({ length: 10 }, (_, number) => frame(60, number)),
  )
  t.deepEqual([...capture.packets({ count: 10 })].map(() => 1).length, 10)
  await sendAll(injector, [frame(60, 11), frame(60, 12)])
  const numbers: number[] = []
  for (const packet of capture.packets({ durationMs: 300 })) numbers.push(numberOf(packet.data))
  t.deepEqual(numbers, [11, 12])
  const start = performance.now()
  t.deepEqual([...capture.packets({ until: Date.now() + 100 })], [])
  t.true(performance.now() - start >= 98)
  t.deepEqual([...capture.packets({ count: 0 })], [])
  t.throws(() => [...capture.packets({ signal: AbortSignal.abort(new Error('no')) })], { message: 'no' })
  setTimeout(() => {
    injector.send(frame(60, 13))
    injector.flush()
  }, 20)
  for await (const packet of capture.packetsAsync({ count: 1 })) t.is(numberOf(packet.data), 13)
  for await (const packet of capture.packetsAsync({ durationMs: 30 })) t.fail(String(packet.length))
})

test.serial('streams deliver packets and batches', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  const writable = injector.writable()
  const packets = capture.stream({ signal: AbortSignal.timeout(5000) })
  for (let number = 0; number < 100; number++) writable.write(frame(60, number))
  writable.end()
  await once(writable, 'finish')
  let next = 0
  for await (const packet of packets as AsyncIterable<{ data: Buffer }>) {
    t.is(numberOf(packet.data), next++)
    if (next === 100) break
  }
  t.is(next, 100)
  await sendAll(injector, [frame(60, 7)])
  const reader = capture.readableStream().getReader()
  const { value } = await reader.read()
  t.is(numberOf(value?.at(0)?.data ?? Buffer.alloc(18)), 7)
  value?.release()
  await reader.cancel()
  t.false(capture.closed)
})

test.serial('two captures on one interface both see everything', async (t) => {
  const { a, b } = network(t)
  const captures = [captureOn(t, b), captureOn(t, b)]
  await sendAll(injectorOn(t, a), [frame(60, 1), frame(60, 2)])
  for (const capture of captures) t.is((await receive(capture, 2)).length, 2)
})

test.serial('ignoreOutgoing leaves out what the host sends; without it both directions are seen', async (t) => {
  const { a } = network(t)
  const all = captureOn(t, a)
  const incoming = captureOn(t, a, { ignoreOutgoing: true })
  await sendAll(injectorOn(t, a), [frame(60)])
  const [packet] = await receive(all, 1)
  t.is(packet?.direction, 'outgoing')
  t.deepEqual(await receiveFor(incoming, 100), [])
})

test.serial('promiscuous mode is on while the capture is open, and off at once when it is closed', (t) => {
  const { b } = network(t)
  const promiscuity = (): number =>
    (JSON.parse(b.ip('-d', '-j', 'link', 'show', b.name)) as [{ promiscuity: number }])[0].promiscuity
  t.is(promiscuity(), 0)
  const first = captureOn(t, b, { promiscuous: true })
  const second = captureOn(t, b, { promiscuous: true })
  t.is(promiscuity(), 2)
  first.close()
  t.is(promiscuity(), 1)
  second.close()
  t.is(promiscuity(), 0)
})

test.serial('the ring is what was asked for', (t) => {
  const { b } = network(t)
  const capture = captureOn(t, b, { blockSize: 128 * 1024, blockCount: 5, frameSize: 4096 })
  t.like(capture.ring, { blockSize: 128 * 1024, blockCount: 5, frameSize: 4096 })
  const low = captureOn(t, b, { profile: 'lowMemory', blockSize: 65536, blockCount: 2 })
  t.like(low.ring, { blockSize: 65536, blockCount: 2 })
  t.is(Capture.defaults.blockSize, 4 * 1024 * 1024)
  t.is(Capture.defaults.blockTimeoutMs, 60)
})

test.serial('every profile opens and receives', async (t) => {
  const { a, b } = network(t)
  for (const profile of ['default', 'highThroughput', 'lowLatency', 'lowMemory', 'jumboFrames'] as const) {
    const capture = Capture.open(b.name, { profile, netns: b.netns })
    await sendAll(injectorOn(t, a), [frame(60)])
    t.is((await receive(capture, 1)).length, 1, profile)
    capture.close()
  }
})

testThatNeeds(tcpdump, 'what tcpdump writes to a file is what is captured', async (t) => {
  const { a, b } = network(t)
  const frames = [frame(60, 1), tagged(100, inner), tagged(64, outer, inner), frame(1514, 2), frame(15)]
  const recording = await record(t, b, frames.length)
  const capture = captureOn(t, b)
  await sendAll(injectorOn(t, a), frames)
  const packets = await receive(capture, frames.length)
  const theirs = await recording.frames()
  t.deepEqual(
    packets.map((packet) => packet.data.toString('hex')),
    theirs,
  )
  t.deepEqual(
    theirs,
    frames.map((sent) => sent.toString('hex')),
  )
})

test.serial('an interface of another network namespace is captured from this one', async (t) => {
  const { a, b } = network(t)
  const byPath = Capture.open(b.name, { blockSize: 65536, blockCount: 2, netns: `/run/netns/${b.netns}` })
  t.teardown(() => {
    byPath.close()
  })
  await sendAll(injectorOn(t, a), [frame(60)])
  t.is((await receive(byPath, 1)).length, 1)
  t.throws(() => Capture.open(b.name, { netns: 'no-such-namespace' }), {
    code: 'ERR_NETRING_CONFIG',
    message: /no-such-namespace/,
  })
  t.throws(() => Capture.open('va', { netns: b.netns }), { code: 'ERR_NETRING_INTERFACE_NOT_FOUND' })
})

/** Memory: what is used stays the same however many packets pass, and a ring that does not fit is made smaller. */
import { spawn } from 'node:child_process'
import { freemem } from 'node:os'
import test, { type ExecutionContext } from 'ava'
import { Capture } from '../src/index.js'
import { runModule } from './helpers/child.js'
import { compile } from './helpers/compile.js'
import { frame, numberOf } from '../testkit/frames.mjs'
import { ebpf, testThatNeeds } from './helpers/needs.js'
import { network, type End } from './helpers/network.js'
import { captureOn, injectorOn, receive, sendAll } from './helpers/traffic.js'

const MIB = 1 << 20

interface Use {
  /** Resident, less the heap that V8 has reserved: that grows and shrinks by megabytes for reasons of its own. */
  readonly native: number
  /** What is alive in V8's heap. */
  readonly heap: number
}

/** For a child: memory in use, after garbage has been collected. */
const measuring = `
  import v8 from 'node:v8'
  import vm from 'node:vm'
  v8.setFlagsFromString('--expose-gc')
  const gc = vm.runInNewContext('gc')
  const use = async () => {
    for (let turn = 0; turn < 5; turn++) {
      gc()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const { rss, heapTotal, heapUsed } = process.memoryUsage()
    return { native: rss - heapTotal, heap: heapUsed }
  }
`

/** Frames into an interface, as many as the kernel can make, until the test is over. */
function floodLive(t: ExecutionContext, at: End): void {
  const source = compile('live-frames.c')
  const sender = spawn('ip', ['netns', 'exec', at.netns, source.path, at.name], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  t.teardown(() => {
    sender.kill()
    source.remove()
  })
}

/** 8 million packets that left two bytes each would show. */
function assertSame(t: ExecutionContext, before: Use, after: Use): void {
  t.log(before, after)
  t.true(after.native - before.native < 12 * MIB, `${before.native} bytes, then ${after.native}`)
  t.true(after.heap - before.heap < 16 * MIB, `${before.heap} bytes in the heap, then ${after.heap}`)
}

testThatNeeds(ebpf, 'memory in use is the same after two and after ten million packets', (t) => {
  t.timeout(300_000)
  const { b } = network(t)
  floodLive(t, b)
  const grown = runModule(
    `
    ${measuring}
    const capture = netring.Capture.open('${b.name}', { netns: '${b.netns}', blockSize: 65536, blockCount: 512, blockTimeoutMs: 20 })
    let packets = 0
    let bytes = 0
    let batches = 0
    const take = async (wanted) => {
      for await (const batch of capture) {
        const { offset, capturedLength } = batch.columns
        const { buffer } = batch
        // By columns, by packets with data, and by copies, in turn.
        if (++batches % 4 === 0) for (const packet of batch) bytes += packet.data[packet.data.length - 1]
        else if (batches % 64 === 1) for (const copy of batch.copy()) bytes += copy.data.length
        else for (let index = 0; index < offset.length; index++) bytes += buffer[offset[index]] + capturedLength[index]
        packets += batch.length
        if (packets >= wanted) return
      }
    }
    await take(2e6)
    const before = await use()
    await take(1e7)
    const after = await use()
    console.log(JSON.stringify({ before, after, packets, batches, bytes }))
    process.exit()`,
    [],
    240_000,
  ) as { before: Use; after: Use; packets: number; batches: number; bytes: number }
  t.true(grown.packets >= 1e7)
  t.true(grown.bytes > 0)
  assertSame(t, grown.before, grown.after)
})

testThatNeeds(ebpf, 'memory in use is the same after two and after ten million packets through a channel', (t) => {
  t.timeout(300_000)
  const { b } = network(t)
  floodLive(t, b)
  const grown = runModule(
    `
    ${measuring}
    const ring = { blockSize: 65536, blockCount: 256, blockTimeoutMs: 20 }
    const queue = { capacity: 50_000, capacityBytes: 16 << 20, whenFull: 'dropOldest' }
    const channel = netring.ChannelCapture.open('${b.name}', { netns: '${b.netns}', ...ring, ...queue })
    let packets = 0
    let bytes = 0
    let calls = 0
    const take = async (wanted) => {
      while (packets < wanted) {
        const some = ++calls % 100 === 0 ? [await channel.recv()] : await channel.recvMany(4096)
        for (const { data } of some) bytes += data.length + data[data.length - 1]
        packets += some.length
      }
    }
    await take(2e6)
    const before = await use()
    await take(1e7)
    const after = await use()
    const { overflowed } = channel
    console.log(JSON.stringify({ before, after, packets, bytes, overflowed }))
    process.exit()`,
    [],
    240_000,
  ) as { before: Use; after: Use; packets: number; bytes: number; overflowed: number }
  t.true(grown.packets >= 1e7)
  t.true(grown.bytes > 0)
  t.true(grown.overflowed > 0, 'the queue was full while memory was measured')
  assertSame(t, grown.before, grown.after)
})

test.serial('memory in use is the same after half a million and after two million frames sent', (t) => {
  t.timeout(300_000)
  const { a } = network(t)
  const grown = runModule(
    `
    ${measuring}
    const injector = netring.Injector.open('${a.name}', { netns: '${a.netns}' })
    const batch = Array.from({ length: 1024 }, (_, number) => frames.frame(60, number))
    const send = async (count) => {
      for (let sent = 0; sent < count; sent += batch.length) {
        injector.sendBatch(batch)
        if (sent % (64 * batch.length) === 0) {
          for (let slots = 0; slots < 64; slots++) injector.allocate(60)?.data.fill(0)
          await new Promise((resolve) => setImmediate(resolve))
        }
        await injector.drained()
      }
      return use()
    }
    const before = await send(5e5)
    const after = await send(15e5)
    console.log(JSON.stringify({ before, after, ...injector.txStats() }))
    process.exit()`,
    [],
    240_000,
  ) as { before: Use; after: Use; sent: number }
  t.true(grown.sent >= 2e6)
  assertSame(t, grown.before, grown.after)
})

/**
 * The kernel keeps a pointer a block in one array, which can be 4 MiB at most (kcalloc in alloc_pg_vec, net/packet/af_packet.c;
 * KMALLOC_MAX_SIZE): more blocks are ENOMEM however much memory there is.
 */
const MOST_BLOCKS = (4 * MIB) / 8

/** Three quarters of one block more than that, of the smallest size. */
const needed = (Math.floor(((MOST_BLOCKS + 1) * 3) / 4) + 1) * 4096
const roomy = freemem() > 2 * needed
const withRoom = roomy ? test.serial : test.serial.skip
const lacking = roomy ? '' : ` (less than ${2 * needed} bytes of memory are free)`

withRoom(`a ring for which the kernel has no memory gets fewer blocks, and says so${lacking}`, async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockSize: 4096, blockCount: MOST_BLOCKS + 1, frameSize: 2048 })
  t.is(capture.ring.blockCount, Math.floor(((MOST_BLOCKS + 1) * 3) / 4))
  await sendAll(injectorOn(t, a), [frame(60, 1), frame(60, 2)])
  t.deepEqual(
    (await receive(capture, 2)).map(({ data }) => numberOf(data)),
    [1, 2],
  )
  capture.close()
})

test.serial('a ring of which not even a quarter fits is ERR_NETRING_MMAP, and says what to ask for', (t) => {
  const { b } = network(t)
  const wanted = { blockSize: 4096, blockCount: 4 * MOST_BLOCKS + 4, frameSize: 2048, netns: b.netns }
  t.throws(() => Capture.open(b.name, wanted), { code: 'ERR_NETRING_MMAP', message: /smaller blockSize or blockCount/ })
})

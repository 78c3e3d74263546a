/** Worker threads: what they hold ends with them, and nothing else does. */
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { frame, numberOf } from '../testkit/frames.mjs'
import { network, shape, type End, type Network } from './helpers/network.js'
import { captureOn, injectorOn, receive, sendAll } from './helpers/traffic.js'

/** Room for what comes while a worker is not scheduled. */
const roomy = { blockSize: 65536, blockCount: 32, blockTimeoutMs: 5 } as const
const tiny = { blockSize: 65536, blockCount: 4, blockTimeoutMs: 5 } as const

function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}

function promiscuity(at: End): number {
  const [link] = JSON.parse(at.ip('-d', '-j', 'link', 'show', at.name)) as [{ promiscuity: number }]
  return link.promiscuity
}

/** A worker that has a promiscuous capture of b, an injector on a, and runs `source`. */
function work(t: ExecutionContext, { a, b }: Network, source: string): Worker {
  const code = `
    const { parentPort } = require('node:worker_threads')
    const main = async () => {
      // Not by --import: Node 20 ignores that where the code is a string.
      await import('${import.meta.resolve('@oxc-node/core/register')}')
      const netring = await import('${new URL('../src/index.ts', import.meta.url).href}')
      const { frame, numberOf } = await import('${new URL('../testkit/frames.mjs', import.meta.url).href}')
      const capture = netring.Capture.open('${b.name}', { netns: '${b.netns}', promiscuous: true, ...${JSON.stringify(roomy)} })
      const injector = netring.Injector.open('${a.name}', { netns: '${a.netns}', frameCount: 64 })
      const take = async (number) => {
        injector.send(frame(60, number))
        injector.flush()
        await capture.readable()
        return capture.nextBatch()
      }
      ${source}
    }
    main().catch((error) => parentPort.postMessage(String(error.stack)))
  `
  const worker = new Worker(code, { eval: true, execArgv: [] })
  t.teardown(() => worker.terminate())
  return worker
}

async function message(worker: Worker): Promise<unknown> {
  const [value] = (await once(worker, 'message', { signal: AbortSignal.timeout(30_000) })) as [unknown]
  return value
}

/** Waits for what other threads still free. */
async function settled(wanted: number): Promise<number> {
  for (let turn = 0; turn < 200 && descriptors() > wanted; turn++) await sleep(25)
  return descriptors()
}

/** In the middle of everything. */
const busy = `
  globalThis.held = [await take(1), await take(2)]
  globalThis.views = held.flatMap((batch) => [batch.buffer, batch.columns.offset, batch.at(0).data])
  globalThis.slots = [injector.allocate(60), injector.allocate(60)]
  for (const slot of slots) slot.data.fill(1)
  for (const event of ['linkDown', 'linkUp', 'removed', 'close']) capture.on(event, () => {})
  capture.readable().catch(() => {})
  capture.recv().catch(() => {})
  void (async () => { for await (const batch of capture) views.push(batch.buffer) })()
  parentPort.postMessage('ready')
`

test.serial('terminating workers in the middle of everything frees all that they held, and nothing else', async (t) => {
  const net = network(t)
  const own = captureOn(t, net.b, tiny)
  const injector = injectorOn(t, net.a)
  const run = async (): Promise<void> => {
    const worker = work(t, net, busy)
    t.is(await message(worker), 'ready')
    t.is(promiscuity(net.b), 1)
    await worker.terminate()
    t.is(promiscuity(net.b), 0)
  }
  // The first one starts what the process keeps: the I/O thread and its descriptors.
  await run()
  await sleep(200)
  await receive(own, 2)
  const before = descriptors()
  for (let times = 0; times < 20; times++) {
    await run()
    await sendAll(injector, [frame(60, 100 + times)])
    const packets = await receive(own, 3)
    t.deepEqual(
      packets.map((packet) => numberOf(packet.data)),
      [1, 2, 100 + times],
    )
  }
  t.is(await settled(before), before)
  t.is(promiscuity(net.b), 0)
})

test.serial('a worker terminated while it blocks or floods leaves nothing', async (t) => {
  const net = network(t)
  const endings = [
    `parentPort.postMessage('ready'); for (;;) capture.nextBatchBlocking(20)?.release()`,
    `parentPort.postMessage('ready'); for (;;) { injector.send(frame(60, 1)); injector.flush(); const batch = capture.nextBatch(); batch?.at(0).data; batch?.release() }`,
    `parentPort.postMessage('ready'); for (const packet of capture.packets()) packet.data`,
    `parentPort.postMessage('ready'); setInterval(() => { capture.close(); }, 1)`,
  ]
  const runAll = async (): Promise<void> => {
    for (const ending of endings) {
      const worker = work(t, net, ending)
      t.is(await message(worker), 'ready')
      await sleep(30)
      await worker.terminate()
      t.is(promiscuity(net.b), 0)
    }
  }
  await runAll()
  const before = await settled(0).then(descriptors)
  await runAll()
  t.is(await settled(before), before)
})

test.serial('a worker that blocks until all has left can be terminated', async (t) => {
  const net = network(t)
  shape(net.a, '2kbit')
  const worker = work(
    t,
    net,
    `for (let n = 0; n < 60; n++) injector.send(frame(1000, n)); parentPort.postMessage('ready'); injector.waitDrained(60_000)`,
  )
  t.is(await message(worker), 'ready')
  await sleep(30)
  const late = sleep(30_000, 'late', { ref: false })
  t.not(await Promise.race([worker.terminate(), late]), 'late')
})

test.serial('two workers capture at the same time', async (t) => {
  const net = network(t)
  const listen = `
    const numbers = []
    parentPort.postMessage('ready')
    for await (const batch of capture) {
      for (const packet of batch) numbers.push(numberOf(packet.data))
      if (numbers.length === 500) break
    }
    parentPort.postMessage(numbers)
    capture.close()
    injector.close()
  `
  const workers = [work(t, net, listen), work(t, net, listen)]
  t.deepEqual(await Promise.all(workers.map(message)), ['ready', 'ready'])
  t.is(promiscuity(net.b), 2)
  const expected = Array.from({ length: 500 }, (_, number) => number)
  const answers = workers.map(message)
  const exits = workers.map((worker) => once(worker, 'exit'))
  await sendAll(
    injectorOn(t, net.a),
    expected.map((number) => frame(100, number)),
  )
  for (const answer of answers) t.deepEqual(await answer, expected)
  for (const exit of exits) t.deepEqual(await exit, [0])
  t.is(promiscuity(net.b), 0)
})

test.serial('a worker ends by itself although its capture is open, and takes it along', async (t) => {
  const net = network(t)
  const ends = `
    globalThis.held = [await take(1), injector.allocate(60), capture]
    globalThis.view = held[0].buffer
    capture.on('linkDown', () => {})
    parentPort.postMessage(view.length > 0)
  `
  for (let times = 0; times < 3; times++) {
    const worker = work(t, net, ends)
    const exit = once(worker, 'exit', { signal: AbortSignal.timeout(30_000) })
    t.true(await message(worker))
    t.deepEqual(await exit, [0])
    t.is(promiscuity(net.b), 0)
  }
})

test.serial('process.exit() in a worker ends only the worker', async (t) => {
  const net = network(t)
  const worker = work(t, net, `${busy}; setTimeout(() => process.exit(3), 20)`)
  const exit = once(worker, 'exit', { signal: AbortSignal.timeout(30_000) })
  t.is(await message(worker), 'ready')
  t.deepEqual(await exit, [3])
  t.is(promiscuity(net.b), 0)
})

test.serial('bytes that were moved to another thread outlive the worker, or cannot be moved', async (t) => {
  const net = network(t)
  const moves = `
    const batch = await take(1)
    const { offset } = batch.columns
    const at = offset[0]
    const { buffer } = batch.buffer
    try {
      parentPort.postMessage({ buffer, at }, [buffer])
    } catch (error) {
      parentPort.postMessage(error.name)
    }
    setInterval(() => {}, 1000)
  `
  for (let times = 0; times < 3; times++) {
    const worker = work(t, net, moves)
    const answer = (await message(worker)) as { buffer: ArrayBuffer; at: number } | string
    await worker.terminate()
    t.is(promiscuity(net.b), 0)
    if (typeof answer === 'string') {
      t.is(answer, 'DataCloneError')
      continue
    }
    // Once the worker's ring is gone there may be zeros where it was, but no crash.
    const bytes = Buffer.from(answer.buffer)
    await sleep(50)
    t.true([0, 1].includes(bytes.readUInt32BE(answer.at + 14)))
    bytes.fill(0xff)
    t.true(bytes.every((byte) => byte === 0xff))
  }
  for (let turn = 0; turn < 5; turn++) {
    globalThis.gc?.()
    await sleep(20)
  }
  const capture = captureOn(t, net.b, tiny)
  await sendAll(injectorOn(t, net.a), [frame(60, 5)])
  t.deepEqual(
    (await receive(capture, 1)).map((packet) => numberOf(packet.data)),
    [5],
  )
})

/** A channel's thread ends with its channel, however that ends, and leaves nothing behind. */
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { ChannelCapture } from '../../src/index.js'
import { channelOn, drained } from '../helpers/channel.js'
import { runModule } from '../helpers/child.js'
import { numbered } from '../../testkit/frames.mjs'
import { network, type End } from '../helpers/network.js'
import { injectorOn, sendAll, until } from '../helpers/traffic.js'

const smallest = { blockSize: 65536, blockCount: 2, blockTimeoutMs: 5, promiscuous: true } as const

const THREAD = 'netring-channel'

/** Threads of channels in this process. */
function threads(): number {
  return readdirSync('/proc/self/task').filter((id) => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim() === THREAD
    } catch {
      return false
    }
  }).length
}

const descriptors = (): number => readdirSync('/proc/self/fd').length
const mappings = (): number => readFileSync('/proc/self/maps', 'utf8').split('\n').length

function promiscuity(at: End): number {
  const [link] = JSON.parse(at.ip('-d', '-j', 'link', 'show', at.name)) as [{ promiscuity: number }]
  return link.promiscuity
}

test.serial('five hundred channels leave nothing behind', async (t) => {
  t.timeout(300_000)
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const use = async (times: number): Promise<void> => {
    for (let done = 0; done < times; done++) {
      const channel = ChannelCapture.open(b.name, { ...smallest, netns: b.netns, capacity: 3 })
      if (done % 10 === 0) {
        channel.on('linkDown', () => undefined)
        const waiting = channel.recv()
        injector.sendBatch(numbered(20))
        injector.flush()
        await waiting
      }
      if (done % 25 === 1) await channel.stopAndDrain()
      channel.close()
    }
    // The link watch ends on another thread, a moment later.
    await sleep(100)
    globalThis.gc?.()
    await sleep(20)
  }
  await use(30)
  const before = { threads: threads(), descriptors: descriptors(), mappings: mappings() }
  t.is(before.threads, 0)
  const resident = process.memoryUsage.rss()
  await use(500)
  t.true(await until(() => descriptors() <= before.descriptors))
  t.is(threads(), 0)
  t.true(mappings() - before.mappings < 64, `${mappings() - before.mappings} mappings more`)
  t.true(process.memoryUsage.rss() - resident < 64 << 20, `${process.memoryUsage.rss() - resident} bytes more`)
  t.is(promiscuity(b), 0)
})

test.serial('channels that are collected without close() are closed', async (t) => {
  const { b } = network(t)
  const before = descriptors()
  const drop = (): void => {
    for (let times = 0; times < 10; times++) ChannelCapture.open(b.name, { ...smallest, netns: b.netns })
  }
  drop()
  t.is(threads(), 10)
  for (let turn = 0; turn < 500 && threads() > 0; turn++) {
    globalThis.gc?.()
    await sleep(20)
  }
  t.is(threads(), 0)
  t.is(descriptors(), before)
  t.is(promiscuity(b), 0)
})

test.serial('opening that fails starts no thread', (t) => {
  const { b } = network(t)
  const before = descriptors()
  for (let times = 0; times < 20; times++) {
    t.throws(() => ChannelCapture.open('none', { netns: b.netns }), { code: 'ERR_NETRING_INTERFACE_NOT_FOUND' })
    t.throws(() => ChannelCapture.open(b.name, { netns: b.netns, blockSize: 1 }), { code: 'ERR_NETRING_CONFIG' })
  }
  t.is(threads(), 0)
  t.is(descriptors(), before)
})

/** A worker that runs `source` with a channel of b. */
function work(t: ExecutionContext, b: End, source: string): Worker {
  const code = `
    const { parentPort } = require('node:worker_threads')
    const main = async () => {
      // Not by --import: Node 20 ignores that where the code is a string.
      await import('${import.meta.resolve('@oxc-node/core/register')}')
      const { ChannelCapture } = await import('${new URL('../../src/index.ts', import.meta.url).href}')
      const channel = ChannelCapture.open('${b.name}', { netns: '${b.netns}', ...${JSON.stringify(smallest)}, capacity: 50 })
      parentPort.postMessage('ready')
      ${source}
    }
    main().catch((error) => parentPort.postMessage(String(error.stack)))
  `
  const worker = new Worker(code, { eval: true, execArgv: [] })
  t.teardown(() => worker.terminate())
  return worker
}

test.serial('terminating workers ends their threads, whatever they do', async (t) => {
  t.timeout(120_000)
  const { a, b } = network(t)
  const own = channelOn(t, b)
  const injector = injectorOn(t, a)
  const doings = [
    `await channel.recv(); await new Promise(() => {})`,
    `for await (const packet of channel) packet.data`,
    `for (;;) channel.tryRecv()`,
    `for (const event of ['linkDown', 'linkUp', 'removed', 'close']) channel.on(event, () => {}); await new Promise((resolve) => setTimeout(resolve, 1e6))`,
    `await channel.stopAndDrain(); await new Promise(() => {})`,
    `for (;;) await channel.recvMany(10)`,
  ]
  const run = async (): Promise<void> => {
    for (const doing of doings) {
      const worker = work(t, b, doing)
      t.deepEqual(await once(worker, 'message', { signal: AbortSignal.timeout(30_000) }), ['ready'])
      await sendAll(injector, numbered(200))
      await sleep(10)
      await worker.terminate()
      t.is(threads(), 1)
      t.is(promiscuity(b), 0)
    }
  }
  await run()
  await sleep(100)
  const before = descriptors()
  for (let times = 0; times < 3; times++) await run()
  t.true(await until(() => descriptors() <= before))
  await drained(own, 4 * doings.length * 200)
})

test.serial('a worker ends by itself although its channel is open, and takes it along', async (t) => {
  const { b } = network(t)
  const worker = work(t, b, `channel.on('linkDown', () => {}); channel.unref(); channel.recv().catch(() => {})`)
  const exit = once(worker, 'exit', { signal: AbortSignal.timeout(30_000) })
  t.deepEqual(await exit, [0])
  t.is(threads(), 0)
  t.is(promiscuity(b), 0)
})

test.serial('a wait keeps a process alive unless it is unref()ed, and an open channel does not', (t) => {
  const { a, b } = network(t)
  const open = `const channel = netring.ChannelCapture.open('${b.name}', { netns: '${b.netns}', blockTimeoutMs: 5 })`
  t.is(runModule(`${open}; console.log(1)`), 1)
  t.is(runModule(`${open}; channel.unref(); channel.recv(); console.log(2)`), 2)
  t.is(runModule(`${open}; channel.recv().catch(() => {}); console.log(3); process.exit()`), 3)
  // Only the wait keeps it until then.
  const waits = `
    ${open}
    const injector = netring.Injector.open('${a.name}', { netns: '${a.netns}' })
    setTimeout(() => { injector.send(frames.frame(60)); injector.flush() }, 300).unref()
    channel.recv().then((packet) => console.log(packet.length))`
  t.is(runModule(waits), 60)
})

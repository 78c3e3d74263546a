/** What is closed is gone: descriptors, mappings, promiscuity, memory. */
import test from 'ava'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Capture, Injector } from '../src/index.js'
import { frame, numberOf } from './helpers/frames.js'
import { network, type End } from './helpers/network.js'
import { captureOn, injectorOn, receive, sendAll } from './helpers/traffic.js'

const smallest = { blockSize: 65536, blockCount: 1 } as const
const TIMES = 10_000

function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}

function mappings(): number {
  return readFileSync('/proc/self/maps', 'utf8').split('\n').length
}

function promiscuity(at: End): number {
  const [link] = JSON.parse(at.ip('-d', '-j', 'link', 'show', at.name)) as [{ promiscuity: number }]
  return link.promiscuity
}

/** Runs something often, after a beginning that fills pools and caches, and compares. */
async function growth(
  times: number,
  once: () => void,
): Promise<{ descriptors: number; mappings: number; residentBytes: number }> {
  const often = async (count: number): Promise<void> => {
    for (let done = 0; done < count; done++) {
      once()
      // Finalizers and close events need turns.
      if (done % 100 === 0) await sleep(0)
    }
    globalThis.gc?.()
    await sleep(20)
    globalThis.gc?.()
    await sleep(20)
  }
  await often(Math.ceil(times / 10))
  const before = [descriptors(), mappings(), process.memoryUsage.rss()] as const
  await often(times)
  return {
    descriptors: descriptors() - before[0],
    mappings: mappings() - before[1],
    residentBytes: process.memoryUsage.rss() - before[2],
  }
}

/** Of V8's own heap, which comes and goes. */
const MAPPINGS = 64
const BYTES = 64 << 20

test.serial('ten thousand captures leave nothing behind', async (t) => {
  const { b } = network(t)
  const grown = await growth(TIMES, () => {
    Capture.open(b.name, { ...smallest, netns: b.netns, promiscuous: true }).close()
  })
  t.is(grown.descriptors, 0)
  t.true(grown.mappings < MAPPINGS, `${String(grown.mappings)} mappings more`)
  t.true(grown.residentBytes < BYTES, `${String(grown.residentBytes)} bytes more`)
  t.is(promiscuity(b), 0)
})

test.serial('ten thousand injectors leave nothing behind', async (t) => {
  const { a } = network(t)
  const grown = await growth(TIMES, () => {
    const injector = Injector.open(a.name, { netns: a.netns, frameCount: 8 })
    injector.allocate(60)?.data.fill(1)
    injector.close()
  })
  t.is(grown.descriptors, 0)
  t.true(grown.mappings < MAPPINGS, `${String(grown.mappings)} mappings more`)
  t.true(grown.residentBytes < BYTES, `${String(grown.residentBytes)} bytes more`)
})

test.serial('captures closed while in use leave nothing behind', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const use = async (): Promise<void> => {
    const capture = Capture.open(b.name, { ...smallest, netns: b.netns, promiscuous: true, blockTimeoutMs: 1 })
    capture.on('linkDown', () => undefined)
    await sendAll(injector, [frame(60)])
    await capture.readable({ signal: AbortSignal.timeout(5000) })
    const batch = capture.nextBatch()
    t.is(batch?.at(0)?.data.length, 60)
    const pending = capture.readable()
    capture.close()
    await t.throwsAsync(pending, { code: 'ERR_NETRING_CLOSED' })
  }
  for (let times = 0; times < 20; times++) await use()
  await sleep(100)
  const before = [descriptors(), mappings()] as const
  for (let times = 0; times < 300; times++) await use()
  // The link watch ends on another thread, a moment later.
  for (let turn = 0; turn < 100 && descriptors() > before[0]; turn++) await sleep(50)
  globalThis.gc?.()
  await sleep(50)
  t.is(descriptors(), before[0])
  t.true(mappings() - before[1] < MAPPINGS)
  t.is(promiscuity(b), 0)
})

test.serial('sources that are collected without close() are closed', async (t) => {
  const { a, b } = network(t)
  const before = descriptors()
  const drop = (): void => {
    for (let times = 0; times < 20; times++) {
      Capture.open(b.name, { ...smallest, netns: b.netns, promiscuous: true })
      Injector.open(a.name, { netns: a.netns, frameCount: 8 })
    }
  }
  drop()
  t.true(descriptors() > before)
  for (let turn = 0; turn < 100 && descriptors() > before; turn++) {
    globalThis.gc?.()
    await sleep(20)
  }
  t.is(descriptors(), before)
  t.is(promiscuity(b), 0)
})

test.serial('forty captures of one interface all receive', async (t) => {
  const { a, b } = network(t)
  const before = descriptors()
  const captures = Array.from({ length: 40 }, () => captureOn(t, b, { ...smallest, promiscuous: true, blockTimeoutMs: 5 }))
  t.is(promiscuity(b), 40)
  await sendAll(injectorOn(t, a), [frame(60, 1), frame(60, 2)])
  const seen = await Promise.all(captures.map((capture) => receive(capture, 2)))
  for (const packets of seen) t.deepEqual(packets.map((packet) => numberOf(packet.data)), [1, 2])
  for (const capture of captures) capture.close()
  t.is(promiscuity(b), 0)
  t.true(descriptors() <= before + 5, 'the injector is still open')
})

test.serial('opening that fails leaves nothing behind', async (t) => {
  const { a, b } = network(t)
  const endless = [{ code: 0x05, jt: 0, jf: 0, k: 100 }]
  const failures: readonly (readonly [string, () => unknown])[] = [
    ['no such interface', () => Capture.open('none', { ...smallest, netns: b.netns })],
    ['no such namespace', () => Capture.open(b.name, { ...smallest, netns: 'netring-none' })],
    ['bad filter', () => Capture.open(b.name, { ...smallest, netns: b.netns, promiscuous: true, filter: endless })],
    ['bad option', () => Capture.open(b.name, { ...smallest, netns: b.netns, blockSize: 1 })],
    ['no such interface to send on', () => Injector.open('none', { netns: a.netns })],
  ]
  for (const [what, open] of failures) {
    const grown = await growth(1000, () => {
      let failed = false
      try {
        open()
      } catch {
        failed = true
      }
      if (!failed) t.fail(what)
    })
    t.is(grown.descriptors, 0, what)
    t.true(grown.mappings < MAPPINGS, what)
  }
  t.is(promiscuity(b), 0)
})

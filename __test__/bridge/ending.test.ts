/** How a run ends, what ends with it, and what does not end it. */
import test from 'ava'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Bridge } from '../../src/index.js'
import { bridged, bridgeOn, counted, engines, listener, running, type Bridged } from '../helpers/bridged.js'
import { numbered, numbers, upTo } from '../../testkit/frames.mjs'
import { remove } from '../helpers/link.js'
import { received, setDown, setUp, type End } from '../helpers/network.js'
import { injectorOn, receive, receiveFor, receiveNoMoreThan, sendAll, until } from '../helpers/traffic.js'

const REMOVED = 'ERR_NETRING_INTERFACE_REMOVED'

function promiscuous(at: End): boolean {
  return at.ip('-d', 'link', 'show', at.name).includes('promiscuity 1 ')
}

const sides = ({ left, right }: Bridged): End[] => [left, right]

/** Threads of this process that forward. */
function threads(): number {
  const tasks = readdirSync('/proc/self/task')
  return tasks.filter((task) => {
    try {
      return readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim() === 'netring-bridge'
    } catch {
      return false
    }
  }).length
}

for (const [how, options] of engines) {
  test.serial(`aborting rejects with the reason, and ${how} can run again`, async (t) => {
    const hosts = bridged(t)
    const far = listener(t, hosts.b)
    const bridge = bridgeOn(t, hosts, options)
    const reason = new Error('enough')
    const controller = new AbortController()
    const run = bridge.run({ signal: controller.signal })
    const injector = injectorOn(t, hosts.a)
    await sendAll(injector, numbered(5))
    t.deepEqual(numbers(await receive(far, 5)), upTo(5))
    controller.abort(reason)
    t.is(await t.throwsAsync(run), reason)
    await sendAll(injector, numbered(5, 5))
    t.is((await receiveFor(far, 50)).length, 0, 'nothing is forwarded any more')
    t.is(await t.throwsAsync(bridge.run({ signal: AbortSignal.abort(reason) })), reason)
    running(t, bridge)
    t.deepEqual(numbers(await receive(far, 5)), [5, 6, 7, 8, 9], 'what came meanwhile was in the ring')
  })

  test.serial(`close() ends the run of ${how} and frees both interfaces at once`, async (t) => {
    const hosts = bridged(t)
    const before = threads()
    const bridge = bridgeOn(t, hosts, options)
    t.deepEqual(sides(hosts).map(promiscuous), [true, true])
    const run = bridge.run()
    await sleep(5)
    bridge.close()
    t.deepEqual(sides(hosts).map(promiscuous), [false, false])
    t.is(threads(), before)
    await t.notThrowsAsync(run)
    bridge.close()
    t.throws(
      () => {
        bridge.runIterations(1)
      },
      { code: 'ERR_NETRING_CLOSED' },
    )
    await t.throwsAsync(bridge.run(), { code: 'ERR_NETRING_CLOSED' })
  })

  test.serial(`stats() of ${how} are what they were once it is closed`, async (t) => {
    const hosts = bridged(t)
    const bridge = bridgeOn(t, hosts, options)
    running(t, bridge)
    await sendAll(injectorOn(t, hosts.a), numbered(7))
    const last = await counted(bridge, 'aToB', ({ forwarded }) => forwarded === 7)
    bridge.close()
    t.deepEqual(bridge.stats().aToB, last)
    t.like(bridge.stats().bToA, { received: 0, pending: 0 })
  })

  test.serial(`right after an abort ${how} runs again`, async (t) => {
    const hosts = bridged(t)
    const far = listener(t, hosts.b)
    const bridge = bridgeOn(t, hosts, options)
    const controller = new AbortController()
    const first = bridge.run({ signal: controller.signal })
    await sleep(5)
    controller.abort(new Error('enough'))
    const state = running(t, bridge)
    await t.throwsAsync(first, { message: 'enough' })
    await sendAll(injectorOn(t, hosts.a), numbered(5))
    t.deepEqual(numbers(await receive(far, 5)), upTo(5))
    t.is(state.failure, undefined)
    await t.throwsAsync(bridge.run(), { code: 'ERR_NETRING_CONFIG', message: /running already/ })
  })

  test.serial(`frames for an interface that was removed before ${how} ran are rejected`, async (t) => {
    const hosts = bridged(t)
    const bridge = bridgeOn(t, hosts, options)
    const told: string[] = []
    bridge.on('rejected', ({ code }, direction) => told.push(`${direction} ${code}`))
    const injector = injectorOn(t, hosts.a)
    await sendAll(injector, numbered(5))
    // In the ring, not only on its way there.
    t.true(await until(() => received(hosts.left) >= 5))
    await sleep(20)
    remove(hosts.right)
    await t.throwsAsync(bridge.run(), { code: REMOVED })
    // Where the removal is seen before a frame is tried, what is in the ring comes with the next run.
    for (let turn = 0; turn < 50 && bridge.stats().aToB.received < 5; turn++) {
      await t.throwsAsync(bridge.run(), { code: REMOVED })
    }
    t.like(bridge.stats().aToB, { received: 5, rejected: 5, forwarded: 0, pending: 0 })
    t.true(await until(() => told.length === 5))
    t.deepEqual([...new Set(told)], [`aToB ${REMOVED}`])
  })

  test.serial(`a listener that throws keeps no rejection of ${how} from the others`, async (t) => {
    const hosts = bridged(t)
    const bridge = bridgeOn(t, hosts, options)
    setDown(hosts.right)
    await sendAll(injectorOn(t, hosts.a), numbered(3))
    let told = 0
    bridge.on('rejected', () => {
      told++
      throw new Error('mine')
    })
    for (let turn = 0; turn < 200 && told < 3; turn++) {
      const before = told
      try {
        bridge.runIterations(1)
        t.is(told, before)
      } catch (error) {
        t.is((error as Error).message, 'mine')
        t.true(told > before)
      }
    }
    t.is(told, 3)
    t.is(bridge.stats().aToB.rejected, 3)
  })

  test.serial(`${how} runs once at a time`, async (t) => {
    const bridge = bridgeOn(t, bridged(t), options)
    running(t, bridge)
    await t.throwsAsync(bridge.run(), { code: 'ERR_NETRING_CONFIG', message: /running already/ })
    t.throws(
      () => {
        bridge.runIterations(1)
      },
      { code: 'ERR_NETRING_CONFIG', message: /running already/ },
    )
  })

  for (const side of ['left', 'right'] as const) {
    test.serial(`the removal of the ${side} interface ends the run of ${how}`, async (t) => {
      const hosts = bridged(t)
      const bridge = bridgeOn(t, hosts, options)
      const run = bridge.run()
      remove(hosts[side])
      await t.throwsAsync(run, { code: REMOVED })
    })
  }

  test.serial(`the removal of an interface that is down ends the run of ${how}`, async (t) => {
    const hosts = bridged(t)
    const bridge = bridgeOn(t, hosts, options)
    const run = bridge.run()
    setDown(hosts.right)
    await sleep(20)
    remove(hosts.right)
    await t.throwsAsync(run, { code: REMOVED })
  })

  test.serial(`a link that is down is not the end for ${how}: its frames are rejected until it is up`, async (t) => {
    const hosts = bridged(t)
    const far = listener(t, hosts.b)
    const bridge = bridgeOn(t, hosts, options)
    const codes: string[] = []
    bridge.on('rejected', ({ code }) => codes.push(code))
    const state = running(t, bridge)
    const injector = injectorOn(t, hosts.a)
    setDown(hosts.right)
    await sendAll(injector, numbered(3))
    t.like(await counted(bridge, 'aToB', ({ received }) => received === 3), { rejected: 3, forwarded: 0 })
    t.true(await until(() => codes.length === 3))
    t.deepEqual([...new Set(codes)], ['ERR_NETRING_LINK_DOWN'])
    await setUp(hosts.right, hosts.b)
    await sendAll(injector, numbered(3, 3))
    t.deepEqual(numbers(await receive(far, 3)), [3, 4, 5])
    setDown(hosts.left)
    await sleep(20)
    await setUp(hosts.left, hosts.a)
    await sendAll(injector, numbered(3, 6))
    t.deepEqual(numbers(await receive(far, 3)), [6, 7, 8])
    t.is(state.failure, undefined)
  })

  test.serial(`runIterations() of ${how} forwards what is there and returns`, async (t) => {
    const hosts = bridged(t)
    const [far, near] = [listener(t, hosts.b), listener(t, hosts.a)]
    const bridge = bridgeOn(t, hosts, { ...options, a: { pollTimeoutMs: 20 } })
    bridge.runIterations(3)
    bridge.runIterations(0)
    await sendAll(injectorOn(t, hosts.a), numbered(10))
    await sendAll(injectorOn(t, hosts.b), numbered(10))
    for (let turn = 0; turn < 200 && bridge.stats().aToB.forwarded + bridge.stats().bToA.forwarded < 20; turn++) {
      bridge.runIterations(1)
    }
    t.deepEqual(numbers(await receiveNoMoreThan(far, 10)), upTo(10))
    t.deepEqual(numbers(await receiveNoMoreThan(near, 10)), upTo(10))
    for (const count of [undefined, -1, 1.5, '3'])
      t.throws(() => {
        bridge.runIterations(count as never)
      })
  })

  test.serial(`a hundred bridges through ${how} leave nothing behind`, async (t) => {
    const hosts = bridged(t)
    const open = (): Bridge => bridgeOn(t, hosts, { ...options, a: { blockCount: 2 }, b: { blockCount: 2 } })
    const once = async (): Promise<void> => {
      const bridge = open()
      const run = bridge.run()
      await sleep(1)
      bridge.close()
      await run
    }
    await once()
    const descriptors = readdirSync('/proc/self/fd').length
    for (let count = 0; count < 100; count++) await once()
    t.is(readdirSync('/proc/self/fd').length, descriptors)
    t.is(threads(), 0)
  })

  test.serial(`a worker that is terminated takes ${how} with it`, async (t) => {
    const hosts = bridged(t)
    const hook = options.onPacket === undefined ? '' : `onPacket: () => 'forward',`
    const worker = new Worker(
      `const { parentPort, workerData: { left, right, url } } = require('node:worker_threads')
       import(url).then(({ Bridge }) => {
         globalThis.bridge = Bridge.open(left.name, right.name, { ${hook} a: { netns: left.netns }, b: { netns: right.netns } })
         bridge.run()
         parentPort.postMessage('running')
       })`,
      {
        eval: true,
        workerData: {
          left: { name: hosts.left.name, netns: hosts.left.netns },
          right: { name: hosts.right.name, netns: hosts.right.netns },
          url: new URL('../../dist/index.js', import.meta.url).href,
        },
      },
    )
    await new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
    t.deepEqual(sides(hosts).map(promiscuous), [true, true])
    await worker.terminate()
    t.true(await until(() => !sides(hosts).some(promiscuous)))
    t.is(threads(), 0)
  })
}

test.serial('stats() answers while the thread is busy', async (t) => {
  const hosts = bridged(t)
  const bridge = bridgeOn(t, hosts)
  running(t, bridge)
  const injector = injectorOn(t, hosts.a)
  for (let round = 0; round < 20; round++) {
    await injector.sendBatchAsync(numbered(200))
    injector.flush()
    t.true(bridge.stats().aToB.received <= 20 * 200)
  }
  t.like(await counted(bridge, 'aToB', ({ received }) => received === 4000), { received: 4000 })
})

/** What stays on an interface, and what of a socket: nothing that should not. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { XdpSocket } from '../../src/index.js'
import { openDescriptors } from '../helpers/arguments.js'
import { frame, numbered, numbers, upTo } from '../../testkit/frames.mjs'
import { DOWN, eventsOf, REMOVED, remove, soon, until } from '../helpers/link.js'
import { network, setDown, setUp, type End } from '../helpers/network.js'
import { captureOn, injectorOn, receive, receiveFor, sendAll } from '../helpers/traffic.js'
import { modes, programOn, small, xdpOn, xdpTest } from '../helpers/xdp.js'

/** Opens a socket as `socket` and goes on. */
function opening(at: End, rest: string): string {
  return `
    // Not by --import: Node 20 ignores that where a worker's code is a string.
    await import('${import.meta.resolve('@oxc-node/core/register')}')
    const { XdpSocket } = await import('${new URL('../../src/index.ts', import.meta.url).href}')
    const socket = XdpSocket.open('${at.name}', { netns: '${at.netns}', frameCount: 256 })
    ${rest}`
}

xdpTest('closing takes the program away, and the queue can be opened again at once', async (t) => {
  const { a, b } = network(t)
  for (const attach of modes) {
    for (let times = 0; times < 3; times++) {
      const socket = xdpOn(t, b, { ...small, attach })
      t.true(programOn(b))
      await sendAll(injectorOn(t, a), [frame(60, times)])
      t.deepEqual(numbers(await receive(socket, 1)), [times])
      socket.close()
      t.false(programOn(b))
    }
  }
})

xdpTest('a process that is killed leaves no program, and its queue can be opened', async (t) => {
  const { a, b } = network(t)
  const source = opening(b, `process.stdout.write('open'); setInterval(() => socket, 1000)`)
  const args = ['--input-type=module', '-e', source]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  t.true(programOn(b))
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
  await until(t, 'the program goes', () => !programOn(b))
  const socket = xdpOn(t, b)
  await sendAll(injectorOn(t, a), numbered(10))
  t.deepEqual(numbers(await receive(socket, 10)), upTo(10))
})

xdpTest('a worker that is terminated with open batches and slots leaves nothing', async (t) => {
  const { a, b } = network(t)
  for (let times = 0; times < 5; times++) {
    const source = `
      const slot = socket.allocate(60)
      parentPort.postMessage('open')
      await socket.readable()
      const batch = socket.nextBatch()
      globalThis.held = [batch.buffer, batch.columns.offset, batch.at(0).data, slot.data]
      socket.on('linkDown', () => {})
      socket.readable().catch(() => {})
      parentPort.postMessage(held.every((view) => view.length > 0))`
    const code = `
      const { parentPort } = require('node:worker_threads')
      const main = async () => {${opening(b, source)}}
      main().catch((error) => parentPort.postMessage(String(error.stack)))`
    const worker = new Worker(code, { eval: true, execArgv: [] })
    t.teardown(() => worker.terminate())
    t.deepEqual(await once(worker, 'message'), ['open'])
    const views = once(worker, 'message')
    await sendAll(injectorOn(t, a), [frame(60)])
    t.deepEqual(await views, [true])
    await worker.terminate()
    await until(t, 'the program goes', () => !programOn(b))
  }
  xdpOn(t, b)
})

xdpTest('another program is named and not touched, unless replace is asked for', async (t) => {
  const { a, b } = network(t, { queues: 2 })
  const first = xdpOn(t, b, small)
  const error = { code: 'ERR_NETRING_XDP_PROGRAM', message: /"netring"/ }
  t.throws(() => xdpOn(t, b, small), error)
  t.true(programOn(b))
  // What cannot be had costs the program nothing.
  const replace = { ...small, replace: true }
  t.throws(() => xdpOn(t, b, replace), { code: 'ERR_NETRING_BIND', message: /queue 0/ }, 'its queue is taken')
  t.throws(() => xdpOn(t, b, { ...replace, queues: 77 }), { code: 'ERR_NETRING_BIND', message: /queue 77/ })
  t.throws(() => xdpOn(t, b, { ...replace, queues: 1, zeroCopy: 'require' }), { code: 'ERR_NETRING_BIND' })
  const injector = injectorOn(t, a)
  await sendAll(injector, [frame(60, 2)])
  t.deepEqual(numbers(await receive(first, 1)), [2])
  // Of another queue: the first socket gets nothing any more.
  const second = xdpOn(t, b, { ...replace, queues: 1 })
  await sendAll(injector, [frame(60, 3)])
  t.deepEqual(numbers(await receiveFor(first, 100)), [])
  first.close()
  t.true(programOn(b))
  second.close()
  const third = xdpOn(t, b, replace)
  await sendAll(injector, [frame(60, 4)])
  t.deepEqual(numbers(await receive(third, 1)), [4])
})

xdpTest('a hundred times opened and closed, nothing is left', async (t) => {
  const { b } = network(t)
  const open = (): void => {
    const socket = XdpSocket.open(b.name, { netns: b.netns, frameCount: 64 })
    socket.on('linkDown', () => undefined)
    socket.readable().catch(() => undefined)
    socket.allocate(60)!.data.fill(1)
    socket.close()
  }
  open()
  await sleep(100)
  const before = openDescriptors()
  for (let times = 0; times < 100; times++) open()
  await until(t, 'descriptors are closed', () => openDescriptors() <= before)
})

for (const attach of modes) {
  xdpTest(`${attach} mode: a reader that sleeps loses only what no frame holds, and all is counted`, async (t) => {
    const { a, b } = network(t)
    const socket = xdpOn(t, b, { mode: 'rx', attach, frameCount: 1024 })
    const injector = injectorOn(t, a, { frameCount: 1500 })
    const sent = 1500
    injector.sendBatch(numbered(sent))
    // The event loop stands still while they come.
    injector.flush()
    injector.waitDrained(1000)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000)
    const { packets, drops } = socket.stats()
    t.deepEqual([packets, drops], [1024, sent - 1024])
    const { rxDropped, rxRingFull } = socket.xdpStats()
    t.is(rxDropped + rxRingFull, drops)
    using first = socket.nextBatch()!
    t.true(first.losing)
    t.true(first.at(0)!.losing)
    const own = Array.from(first, ({ data }) => Buffer.from(data))
    const rest = await receive(socket, 1024 - own.length)
    t.deepEqual([...numbers(own.map((data) => ({ data }))), ...numbers(rest)], upTo(1024))
    await sendAll(injector, numbered(100))
    t.deepEqual(numbers(await receive(socket, 100)), upTo(100), 'and on it goes')
  })
}

xdpTest('an interface that moves to another namespace leaves its packets to the stack there', async (t) => {
  const { a, b } = network(t)
  const there = network(t).a
  const socket = xdpOn(t, b)
  const wait = t.throwsAsync(socket.readable(soon()), { code: REMOVED })
  await sleep(50)
  b.ip('link', 'set', b.name, 'netns', there.netns)
  await wait
  t.is(socket.attached, 'none')
  const moved = { ...there, name: b.name }
  await setUp(moved, a)
  const capture = captureOn(t, moved)
  await sendAll(injectorOn(t, a), numbered(10))
  t.deepEqual(numbers(await receive(capture, 10)), upTo(10))
})

xdpTest('link down, up and gone are told to who listens and who waits', async (t) => {
  const { a, b } = network(t)
  const socket = xdpOn(t, b)
  const events = eventsOf(socket)
  socket.on('rejected', (reason) => events.push(reason.code))
  const wait = t.throwsAsync(socket.readable(soon()), { code: DOWN })
  setDown(b)
  await wait
  await until(t, 'linkDown', () => events.includes('linkDown'))
  await t.throwsAsync(socket.sendBatchAsync(numbered(5000), soon()), { code: DOWN })
  await setUp(b, a)
  await until(t, 'linkUp', () => events.includes('linkUp'))
  await sendAll(injectorOn(t, a), [frame(60, 5)])
  t.deepEqual(numbers(await receive(socket, 1)), [5])
  const end = (async () => {
    for await (const batch of socket) batch.release()
  })()
  remove(a)
  await t.throwsAsync(end, { code: REMOVED })
  await until(t, 'removed', () => events.includes('removed'))
  t.throws(() => socket.nextBatch(), { code: REMOVED })
  t.throws(() => socket.flush(), { code: REMOVED })
  t.false(events.includes('ERR_NETRING_FRAME'))
  socket.close()
  await until(t, 'close', () => events.includes('close'))
})

xdpTest('the counts of a socket are those of its end once it is closed', async (t) => {
  const { a, b } = network(t)
  const socket = xdpOn(t, b, small)
  await sendAll(injectorOn(t, a), numbered(5))
  t.is((await receive(socket, 5)).length, 5)
  await sendAll(socket, numbered(3))
  const [counts, sent, kernel] = [socket.cumulativeStats(), socket.txStats(), socket.xdpStats()]
  t.like(counts, { packets: 5 })
  t.like(sent, { sent: 3, pending: 0 })
  socket.close()
  t.deepEqual([socket.cumulativeStats(), socket.txStats(), socket.xdpStats()], [counts, sent, kernel])
  t.is(socket.stats().packets, 5)
  t.is(socket.stats().packets, 0)
})

xdpTest('a socket whose interface has another name is told that it goes down', async (t) => {
  const { a, b } = network(t)
  const socket = xdpOn(t, b, small)
  const renamed: End = { ...b, name: 'other' }
  setDown(b)
  await t.throwsAsync(socket.readable(soon()), { code: DOWN })
  b.ip('link', 'set', b.name, 'name', renamed.name)
  await setUp(renamed, a)
  await sendAll(injectorOn(t, a), [frame(60, 7)])
  t.deepEqual(numbers(await receive(socket, 1)), [7])
  const pending = socket.readable(soon())
  setDown(renamed)
  await t.throwsAsync(pending, { code: DOWN })
})

/** Sends this process signals, one after the other, until it is told to stop. */
const signalling = `
  const { workerData, parentPort } = require('node:worker_threads')
  parentPort.postMessage('started')
  while (Atomics.load(workerData, 0) === 0) process.kill(process.pid, 'SIGUSR2')`

xdpTest('signals that come while a program is checked keep none from being loaded', async (t) => {
  const { b } = network(t)
  const over = new Int32Array(new SharedArrayBuffer(4))
  let heard = false
  const hear = (): void => {
    heard = true
  }
  process.on('SIGUSR2', hear)
  const worker = new Worker(signalling, { eval: true, workerData: over })
  const ended = once(worker, 'exit')
  await once(worker, 'message')
  try {
    for (let turn = 0; turn < 20; turn++) xdpOn(t, b, { ...small, mode: 'rx' }).close()
    await until(t, 'signals were heard', () => heard)
  } finally {
    Atomics.store(over, 0, 1)
    await ended
    process.off('SIGUSR2', hear)
  }
})

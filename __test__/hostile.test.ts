/** Arrays and times that lie: JavaScript runs while they are read, and must not get at freed memory. */
import test from 'ava'
import { Worker } from 'node:worker_threads'
import { addon } from '../src/addon/binding.js'
import { frame, numberOf } from '../testkit/frames.mjs'
import { network } from './helpers/network.js'
import { captureOn, injectorOn, receive, sendAll } from './helpers/traffic.js'

/** An array whose second element is `get()`. */
function withGetter(first: Uint8Array, get: () => Uint8Array): Uint8Array[] {
  const frames = [first, first]
  Object.defineProperty(frames, 1, { get })
  return frames
}

test.serial('a getter that frees the bytes of another frame does no harm', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a, { frameCount: 16 })
  for (const accesses of [1, 2, 3]) {
    const memory = new ArrayBuffer(1 << 20)
    const first = new Uint8Array(memory, 0, 60)
    let reads = 0
    const frames = withGetter(first, () => {
      if (++reads === accesses) {
        structuredClone(memory, { transfer: [memory] })
        globalThis.gc?.()
      }
      return frame(60, accesses)
    })
    t.true([0, 2].includes(tryBatch(injector.sendBatch.bind(injector), frames)))
  }
  await injector.drained()
  t.is((await receive(capture, injector.txStats().sent)).length, injector.txStats().sent)
})

function tryBatch(send: (frames: Uint8Array[]) => number, frames: Uint8Array[]): number {
  try {
    return send(frames)
  } catch {
    return 0
  }
}

test.serial('a getter that gives a slot back does not send what is in it afterwards', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a, { frameCount: 4 })
  const slot = injector.allocate(60)
  if (slot === undefined) throw new Error('no slot')
  slot.data.set(frame(60, 1))
  let reads = 0
  const frames = withGetter(slot.data, () => {
    if (++reads === 1) {
      slot.discard()
      injector.send(frame(60, 3))
    }
    return frame(60, 2)
  })
  t.throws(() => injector.sendBatch(frames), { code: 'ERR_NETRING_FRAME', message: /^frame 0: .*0 bytes/ })
  await injector.drained()
  const numbers = (await receive(capture, 1)).map((packet) => numberOf(packet.data))
  t.deepEqual(numbers, [3], 'none of the batch was queued')
})

test.serial('the native class itself copies each frame before it looks at the next', (t) => {
  const { a } = network(t)
  const options = { frameSize: 2048, frameCount: 8, qdiscBypass: false, stopOnMalformed: false, netns: a.netns }
  const injector = addon().nativeOpenInjector(a.name, options)
  const memory = new ArrayBuffer(1 << 20)
  const frames = withGetter(new Uint8Array(memory, 0, 60), () => {
    if (memory.byteLength > 0) structuredClone(memory, { transfer: [memory] })
    globalThis.gc?.()
    return frame(60)
  })
  t.is(injector.sendMany(frames, 0), 2)
  t.throws(() =>
    injector.sendMany(
      withGetter(frame(60), () => frame(1)),
      0,
    ),
  )
  t.is(injector.available(), 6, 'a batch that fails queues nothing')
  const closing = withGetter(frame(60), () => {
    injector.close()
    return frame(60)
  })
  t.throws(() => injector.sendMany(closing, 0))
  t.is(typeof injector.waitDrained(NaN), 'boolean')
  injector.close()
})

test.serial('no more is looked at than there are slots', (t) => {
  const { a } = network(t)
  const injector = injectorOn(t, a, { frameCount: 16 })
  const endless: Uint8Array[] = []
  endless.length = 2 ** 32 - 1
  t.throws(() => injector.sendBatch(endless), { code: 'ERR_INVALID_ARG_TYPE', message: /frames\[0\]/ })
  endless.fill(frame(60), 0, 16)
  t.is(injector.sendBatch(endless), 16)
  t.is(injector.sendBatch(endless), 0)
  const lengths: number[] = []
  lengths.length = 2 ** 32 - 1
  injector.flush()
  t.throws(() => injector.sendBatch(frame(60), lengths, 60), { code: 'ERR_INVALID_ARG_TYPE', message: /lengths\[0\]/ })
})

test.serial('what only looks like bytes is refused by name', (t) => {
  const { a } = network(t)
  const injector = injectorOn(t, a)
  const fakes = [
    Object.create(Uint8Array.prototype),
    new Proxy(frame(60), {}),
    Object.setPrototypeOf(new Float64Array(60), Uint8Array.prototype),
    [1, 2, 3],
  ] as Uint8Array[]
  for (const fake of fakes) {
    t.throws(() => injector.send(fake), { code: 'ERR_INVALID_ARG_TYPE', message: /^frame must/ })
    t.throws(() => injector.sendBatch([frame(60), fake]), {
      code: 'ERR_INVALID_ARG_TYPE',
      message: /^frames\[1\] must/,
    })
  }
  t.is(injector.availableSlots, injector.frameCount)
  t.is(injector.sendBatch(new Proxy([frame(60)], {})), 1)
})

test.serial('a worker that blocks for a batch can be terminated', async (t) => {
  const { b } = network(t)
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(workerData.library).then(({ Capture }) => {
      const capture = Capture.open(workerData.name, { blockSize: 65536, blockCount: 2, netns: workerData.netns })
      parentPort.postMessage('blocking')
      capture.nextBatchBlocking(1e6)
    })`
  const library = new URL('../dist/index.js', import.meta.url).href
  const worker = new Worker(code, { eval: true, workerData: { library, name: b.name, netns: b.netns } })
  await new Promise((resolve) => worker.once('message', resolve))
  t.is(await worker.terminate(), 1)
})

test.serial('closing while packets() is under way ends the loop', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  await sendAll(injectorOn(t, a), [frame(60, 1), frame(60, 2)])
  let seen = 0
  for (const packet of capture.packets()) {
    seen += packet.length > 0 ? 1 : 0
    capture.close()
  }
  t.is(seen, 1)
})

/** Bytes that escape by transfer() or structuredClone() never show another block's packets. */
import test from 'ava'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Batch } from '../../src/index.js'
import { ETHERTYPE, frame } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { captureOn, injectorOn, sendAll } from '../helpers/traffic.js'
import {
  assertOver,
  collect,
  columnsOf,
  fields,
  numbersOf,
  RELEASED,
  take,
  tiny,
  usableBlocks,
} from '../helpers/views.js'

/** Moves the bytes to another ArrayBuffer; undefined where this Node has no way to (20). */
function move(buffer: ArrayBufferLike): ArrayBuffer | undefined {
  const { transfer } = buffer as { transfer?: () => ArrayBuffer }
  return transfer?.call(buffer)
}

/** What transfer() made of a batch's bytes; in an object of its own, so that a test can let go of it. */
interface Moved {
  bytes: Buffer | undefined
}

function moveBytes(batch: Batch): Moved {
  const moved = move(batch.buffer.buffer)
  return { bytes: moved === undefined ? undefined : Buffer.from(moved) }
}

test.serial(
  'bytes moved by transfer() show the old packets, and their block is withheld until they are collected',
  async (t) => {
    const { a, b } = network(t)
    const capture = captureOn(t, b, tiny)
    const injector = injectorOn(t, a)
    const escape = async (): Promise<Moved | undefined> => {
      const batch = await take(capture, injector, 1, 2, 3)
      const before = Buffer.from(batch.buffer)
      const { offset } = batch.columns
      const places = [...offset]
      const moved = moveBytes(batch)
      if (moved.bytes === undefined) {
        t.deepEqual(numbersOf(batch), [1, 2, 3], 'refused, and nothing lost')
        batch.release()
        return undefined
      }
      t.is(batch.buffer.length, 0)
      batch.release()
      assertOver(t, batch)
      const { bytes } = moved
      const shown = (): number[] => places.map((at) => bytes.readUInt32BE(at + 14))
      t.deepEqual(shown(), [1, 2, 3])
      // As many packets as it takes to go round the ring several times, if only it could.
      for (let number = 100; number < 120; number++) {
        await sendAll(
          injector,
          Array.from({ length: 100 }, () => frame(1000, number)),
        )
        capture.nextBatch()?.release()
        t.deepEqual(shown(), [1, 2, 3])
      }
      t.true(bytes.equals(before))
      for (;;) {
        const rest = capture.nextBatchBlocking(20)
        if (rest === undefined) break
        rest.release()
      }
      t.true(capture.cumulativeStats().drops > 0, 'the kernel stops at the block')
      t.true(bytes.equals(before))
      return moved
    }
    const moved = await escape()
    await collect()
    if (moved !== undefined) {
      t.is(await usableBlocks(capture, injector), 0, 'the next block is the one that is withheld')
      moved.bytes = undefined
      await collect()
    }
    t.is(await usableBlocks(capture, injector), 4)
    t.deepEqual(numbersOf(await take(capture, injector, 9)), [9])
  },
)

test.serial('columns moved by transfer() show the old packets, whatever later batches are asked', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, tiny)
  const injector = injectorOn(t, a)
  const batch = await take(capture, injector, 1, 2, 3)
  const offsets = [...batch.columns.offset]
  const moved = move(batch.columns.offset.buffer)
  if (moved === undefined) {
    t.deepEqual([...batch.columns.capturedLength], [200, 200, 200])
    return
  }
  t.is(batch.columns.offset.length, 0)
  const before = Buffer.from(moved.slice(0))
  t.deepEqual([...new Uint32Array(moved, 0, 3)], offsets)
  batch.release()
  assertOver(t, batch)
  for (let number = 10; number < 30; number++) {
    const next = await take(capture, injector, number, number, number, number)
    t.deepEqual(
      columnsOf(next).map((column) => column.length),
      new Array(12).fill(4),
    )
    t.deepEqual(numbersOf(next), [number, number, number, number])
    next.release()
    t.true(Buffer.from(moved).equals(before))
  }
  t.is(await usableBlocks(capture, injector), 4, 'columns withhold no block')
  capture.close()
  t.true(Buffer.from(moved).equals(before))
})

test.serial('parsed columns moved by transfer() stay as they are, whatever later batches are parsed', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, tiny)
  const injector = injectorOn(t, a)
  const batch = await take(capture, injector, 1, 2, 3)
  const parsed = batch.parse()
  const moved = move(parsed.etherType.buffer)
  if (moved === undefined) {
    t.deepEqual([...parsed.etherType], new Array(3).fill(ETHERTYPE))
    return
  }
  t.is(parsed.etherType.length, 0)
  const before = Buffer.from(moved.slice(0))
  batch.release()
  assertOver(t, batch)
  for (let number = 10; number < 30; number++) {
    const next = await take(capture, injector, number)
    t.deepEqual([...next.parse().etherType], [ETHERTYPE])
    next.release()
    t.true(Buffer.from(moved).equals(before))
  }
  capture.close()
  await collect()
  t.true(Buffer.from(moved).equals(before))
})

test.serial('moved bytes are readable after close()', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  for (const released of [true, false]) {
    const closed = captureOn(t, b, tiny)
    const batch = await take(closed, injector, 1, 2, 3)
    const { length } = batch.buffer
    const { bytes } = moveBytes(batch)
    if (released) batch.release()
    closed.close()
    assertOver(t, batch)
    if (bytes === undefined) continue
    t.is(bytes.length, length)
    // Where the ring was there are zeros: never what another ring received.
    const capture = captureOn(t, b, tiny)
    for (let turn = 0; turn < 3; turn++) {
      const other = await take(capture, injector, 7, 8)
      other.release()
      t.true(bytes.every((byte) => byte === 0))
    }
    bytes.fill(0xff)
    await collect()
    t.true(bytes.every((byte) => byte === 0xff))
    capture.close()
  }
})

test('structuredClone() of a view is a copy, and with transfer it is refused or a copy too', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, tiny)
  const injector = injectorOn(t, a)
  const batch = await take(capture, injector, 1, 2)
  const clone = structuredClone(batch.at(1)?.data)
  const place = batch.columns.offset[1] ?? 0
  const { buffer } = batch.buffer
  // Node 20 copies what it may not move, later ones refuse.
  let moved: Buffer | undefined
  try {
    moved = Buffer.from(structuredClone(buffer as ArrayBuffer, { transfer: [buffer as ArrayBuffer] }))
  } catch (error) {
    t.true(error instanceof Error && error.name === 'DataCloneError')
  }
  t.deepEqual(numbersOf(batch), [1, 2])
  batch.release()
  await sendAll(
    injector,
    Array.from({ length: 500 }, () => frame(1000, 9)),
  )
  for (let rest = capture.nextBatchBlocking(20); rest !== undefined; rest = capture.nextBatchBlocking(20))
    rest.release()
  if (moved !== undefined) t.deepEqual(moved.subarray(place, place + 200), frame(200, 2))
  t.deepEqual(Buffer.from(clone ?? []), frame(200, 2))
})

for (const [what, moving] of [
  ['packets', 'batch.buffer.buffer'],
  ['columns', 'batch.columns.offset.buffer'],
] as const) {
  test.serial(`${what} moved by transfer() and posted to another thread outlive the worker`, async (t) => {
    const { a, b } = network(t)
    const code = `
      const { parentPort } = require('node:worker_threads')
      const main = async () => {
        // Not by --import: Node 20 ignores that where the code is a string.
        await import('${import.meta.resolve('@oxc-node/core/register')}')
        const { Capture } = await import('${new URL('../../src/index.ts', import.meta.url).href}')
        const capture = Capture.open('${b.name}', { netns: '${b.netns}', ...${JSON.stringify(tiny)} })
        parentPort.postMessage('ready')
        await capture.readable()
        const batch = capture.nextBatch()
        const bytes = ${moving}
        const moved = bytes.transfer?.()
        parentPort.postMessage(moved, moved ? [moved] : [])
        setInterval(() => batch.length, 1000)
      }
      main().catch((error) => parentPort.postMessage(String(error.stack)))`
    const injector = injectorOn(t, a)
    for (let times = 0; times < 3; times++) {
      const worker = new Worker(code, { eval: true, execArgv: [] })
      t.teardown(() => worker.terminate())
      const [ready] = (await once(worker, 'message')) as [unknown]
      t.is(ready, 'ready')
      const answer = once(worker, 'message') as Promise<[ArrayBuffer | undefined]>
      await sendAll(injector, [frame(200, 1)])
      const [moved] = await answer
      if (moved === undefined) {
        t.is(typeof (ArrayBuffer.prototype as { transfer?: unknown }).transfer, 'undefined', 'only Node 20 cannot')
        await worker.terminate()
        continue
      }
      const bytes = Buffer.from(moved)
      bytes.fill(0x11)
      await worker.terminate()
      await collect()
      // Zeros where the ring was, perhaps, but nothing of anybody else's, and no crash.
      t.true(bytes.every((byte) => byte === 0x11 || byte === 0))
      bytes.fill(0x22)
      const others = Array.from({ length: 200 }, (_, index) => Buffer.alloc(1000 + index * 100, 0x33))
      t.true(
        bytes.every((byte) => byte === 0x22),
        'nobody else writes there',
      )
      t.true(
        others.every((other) => other.every((byte) => byte === 0x33)),
        'and nobody else is written to',
      )
    }
  })
}

test('what needs bytes or columns that were moved away says so with a code', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, tiny)
  const injector = injectorOn(t, a)
  const bytes = await take(capture, injector, 1)
  const packet = bytes.at(0)!
  if (moveBytes(bytes).bytes === undefined) {
    t.is(numbersOf(bytes)[0], 1, 'this Node cannot move them')
    return
  }
  t.throws(() => packet.data, RELEASED)
  t.throws(() => packet.copy(), RELEASED)
  const columns = await take(capture, injector, 2)
  const other = columns.at(0)!
  move(columns.columns.offset.buffer)
  for (const field of fields) t.throws(() => other[field], RELEASED, field)
  t.throws(() => other.copy(), RELEASED)
  t.throws(() => columns.copy(), RELEASED)
  const slot = injector.allocate(60)!
  move(slot.data.buffer)
  t.throws(() => {
    slot.setLength(50)
    return slot.data
  }, RELEASED)
})

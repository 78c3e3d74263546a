/** Nothing that JavaScript still holds shows another block's packets, or crashes. */
import test, { type ExecutionContext } from 'ava'
import { NetringError } from '../src/errors.js'
import type { Capture } from '../src/index.js'
import { type Batch, type Injector } from '../src/index.js'
import { runModule } from './helpers/child.js'
import { frame, numberOf } from './helpers/frames.js'
import { network, type Network } from './helpers/network.js'
import { captureOn, injectorOn, receive, sendAll, sendAsOne } from './helpers/traffic.js'

const tiny = { blockSize: 65536, blockCount: 4, blockTimeoutMs: 5 } as const
const RELEASED = { code: 'ERR_NETRING_RELEASED' }

/** Sends frames and takes the batch that they come in. */
function take(capture: Capture, injector: Injector, ...numbers: number[]): Promise<Batch> {
  return sendAsOne(
    injector,
    capture,
    numbers.map((number) => frame(200, number)),
  )
}

function numbersOf(batch: Batch): number[] {
  return Array.from(batch, (packet) => numberOf(packet.data))
}

/** Sends a frame at a time and holds each batch, until none comes: how many blocks the kernel can use. */
async function usableBlocks(capture: Capture, injector: Injector): Promise<number> {
  const held: Batch[] = []
  for (;;) {
    await sendAll(injector, [frame(60)])
    const silence = AbortSignal.timeout(300)
    try {
      await capture.readable({ signal: silence })
    } catch (error) {
      if (error !== silence.reason) throw error
    }
    // Also after a time-out: on a busy machine it may have come first.
    const batch = capture.nextBatch()
    if (batch === undefined) break
    held.push(batch)
  }
  for (const batch of held) batch.release()
  return held.length
}

/** Lets finalizers run. */
async function collect(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Moves the bytes to another ArrayBuffer; undefined where this Node has no way to (20). */
function move(buffer: ArrayBufferLike): ArrayBuffer | undefined {
  const { transfer } = buffer as { transfer?: () => ArrayBuffer }
  return transfer?.call(buffer)
}

/** Everything of a batch that gives views. */
function viewsOf(batch: Batch): ArrayLike<number>[] {
  return [batch.buffer, ...Array.from(batch, (packet) => packet.data), ...columnsOf(batch)]
}

function columnsOf({ columns }: Batch): ArrayLike<number>[] {
  return [
    columns.offset,
    columns.capturedLength,
    columns.originalLength,
    columns.seconds,
    columns.nanoseconds,
    columns.rxhash,
    columns.status,
    columns.vlanTci,
    columns.vlanTpid,
    columns.direction,
    columns.protocol,
  ]
}

/** What must be so of every batch that is over. */
function assertOver(t: ExecutionContext, batch: Batch): void {
  t.true(batch.released)
  t.is(batch.length, 0)
  t.is(batch.buffer.length, 0)
  for (const column of columnsOf(batch)) t.is(column.length, 0)
  t.throws(() => batch.at(0), RELEASED)
  t.throws(() => [...batch], RELEASED)
  t.throws(() => batch.copy(), RELEASED)
  t.throws(() => batch.firstTimestamp, RELEASED)
  t.throws(() => batch.lastTimestamp, RELEASED)
}

const fields = [
  'timestamp',
  'seconds',
  'nanoseconds',
  'length',
  'originalLength',
  'truncated',
  'losing',
  'vlanValid',
  'vlanTpidValid',
  'csumValid',
  'csumNotReady',
  'gsoTcp',
  'rxhash',
  'vlanTci',
  'vlanTpid',
  'direction',
  'sourceAddress',
  'protocol',
  'data',
] as const

for (const [how, end] of [
  [
    'release()',
    (batch: Batch) => {
      batch.release()
    },
  ],
  [
    'close()',
    (_: Batch, capture: Capture) => {
      capture.close()
    },
  ],
] as const) {
  test(`after ${how} every view is empty and every field throws`, async (t) => {
    const { a, b } = network(t)
    const capture = captureOn(t, b, tiny)
    const batch = await take(capture, injectorOn(t, a), 1, 2, 3)
    const views = viewsOf(batch)
    const packets = [...batch]
    const copies = batch.copy()
    t.true(views.every((view) => view.length > 0))
    end(batch, capture)
    for (const view of views) t.is(view.length, 0)
    assertOver(t, batch)
    for (const packet of packets) {
      for (const field of fields) t.throws(() => packet[field], RELEASED, field)
      t.throws(() => packet.copy(), RELEASED)
    }
    t.deepEqual(
      copies.map((packet) => numberOf(packet.data)),
      [1, 2, 3],
    )
    t.deepEqual(
      copies.map((packet) => packet.length),
      [200, 200, 200],
    )
  })

  test(`after ${how} columns, buffer and packets that were never asked for are empty too`, async (t) => {
    const { a, b } = network(t)
    const capture = captureOn(t, b, tiny)
    const batch = await take(capture, injectorOn(t, a), 1)
    const packet = batch.at(0)
    end(batch, capture)
    assertOver(t, batch)
    for (const field of fields) t.throws(() => packet?.[field], RELEASED, field)
  })
}

test('after close() slots are empty and cannot be sent', async (t) => {
  const { a } = network(t)
  const injector = injectorOn(t, a, { frameCount: 8 })
  const [sent, discarded, open] = [injector.allocate(60), injector.allocate(60), injector.allocate(60)]
  const views = [sent, discarded, open].map((slot) => slot?.data)
  for (const view of views) {
    t.is(view?.length, 60)
    frame(60, 1).copy(view ?? Buffer.alloc(0))
  }
  sent?.send()
  t.is(views[0]?.length, 0)
  discarded?.discard()
  discarded?.discard()
  t.is(views[1]?.length, 0)
  t.is(views[2]?.length, 60)
  for (const slot of [sent, discarded]) {
    t.is(slot?.data.length, 0)
    t.throws(() => {
      slot?.send()
    }, RELEASED)
    t.throws(() => {
      slot?.setLength(20)
    }, RELEASED)
    slot?.discard()
  }
  await injector.drained()
  injector.close()
  for (const view of views) t.is(view?.length, 0)
  t.is(open?.data.length, 0)
  t.throws(
    () => {
      open?.send()
    },
    { code: 'ERR_NETRING_CLOSED' },
  )
  open?.discard()
})

test('releasing twice and `using` are harmless', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, tiny)
  const injector = injectorOn(t, a)
  for (let number = 0; number < 20; number++) {
    const first = await take(capture, injector, number)
    {
      using batch = first
      t.deepEqual(numbersOf(batch), [number])
      if (number % 2 === 0) batch.release()
    }
    t.true(first.released)
    first.release()
  }
  const held = await take(capture, injector, 20)
  const other = await take(capture, injector, 21)
  held.release()
  held.release()
  t.deepEqual(numbersOf(other), [21], 'a second release gives no other batch back')
  capture.close()
  other.release()
  other[Symbol.dispose]()
  t.true(other.released)
})

test('releasing inside an iteration ends it', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, tiny)
  const injector = injectorOn(t, a)
  for (const end of [
    (batch: Batch) => {
      batch.release()
    },
    () => {
      capture.close()
    },
  ]) {
    const batch = await take(capture, injector, 1, 2, 3)
    const seen: number[] = []
    for (const packet of batch) {
      seen.push(numberOf(packet.data))
      if (seen.length === 2) end(batch)
    }
    t.deepEqual(seen, [1, 2])
  }
})

/** Uses everything of a batch, and returns errors other than the package's own. */
function useAll(batch: Batch): unknown[] {
  const foreign: unknown[] = []
  const attempt = (use: () => unknown): void => {
    try {
      use()
    } catch (error) {
      if (!(error instanceof NetringError)) foreign.push(error)
    }
  }
  attempt(() => columnsOf(batch))
  attempt(() => batch.copy())
  attempt(() => batch.firstTimestamp)
  attempt(() => JSON.stringify([...batch]))
  for (let index = 0; index < batch.length; index++) {
    attempt(() => batch.at(index)?.copy().data.length)
    for (const field of fields) attempt(() => batch.at(index)?.[field])
  }
  return foreign
}

const patterns: readonly (readonly [string, (at: number) => number])[] = [
  ['ones', () => 0xff],
  ['zeros', () => 0],
  ['small numbers', (at) => (at % 4 === 0 ? at % 97 : 0)],
  ['noise', (at) => (Math.imul(at + 1, 0x9e3779b1) >>> 13) & 0xff],
]

for (const [pattern, byte] of patterns) {
  test(`a batch overwritten with ${pattern} harms neither the process nor later blocks`, async (t) => {
    const { a, b } = network(t)
    const capture = captureOn(t, b, tiny)
    const injector = injectorOn(t, a)
    let number = 0
    for (let round = 0; round < 8; round++) {
      const batch = await take(capture, injector, number++, number++, number++)
      const asked = round % 2 === 0
      const lengths = asked ? [...batch.columns.capturedLength] : []
      const { buffer } = batch
      for (let at = 0; at < buffer.length; at++) buffer[at] = byte(at)
      t.deepEqual(useAll(batch), [])
      if (asked) {
        t.deepEqual([...batch.columns.capturedLength], lengths, 'columns are copies')
        t.true(
          batch
            .at(1)
            ?.data.equals(
              Buffer.from(Array.from({ length: 200 }, (_, at) => byte((batch.columns.offset[1] ?? 0) + at))),
            ),
        )
      }
      batch.release()
      assertOver(t, batch)
      // Right through the ring, so that the block comes round again.
      for (let turn = 0; turn < 5; turn++) {
        const next = await take(capture, injector, number, number + 1)
        t.deepEqual(numbersOf(next), [number, number + 1])
        t.true(next.at(1)?.data.equals(frame(200, number + 1)))
        next.release()
        number += 2
      }
    }
    t.is(capture.cumulativeStats().drops, 0)
  })
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
      new Array(11).fill(4),
    )
    t.deepEqual(numbersOf(next), [number, number, number, number])
    next.release()
    t.true(Buffer.from(moved).equals(before))
  }
  t.is(await usableBlocks(capture, injector), 4, 'columns withhold no block')
  capture.close()
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

test.serial('after close() with live views another capture receives, and nothing of it is seen in them', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const views: ArrayLike<number>[] = []
  for (let times = 0; times < 20; times++) {
    const capture = captureOn(t, b, tiny)
    const batch = await take(capture, injector, times, times)
    t.deepEqual(numbersOf(batch), [times, times])
    views.push(...viewsOf(batch))
    capture.close()
    Buffer.alloc(1 << 20, 0xff)
    t.true(views.every((view) => view.length === 0))
  }
  await collect()
  const capture = captureOn(t, b, tiny)
  await sendAll(injector, [frame(60, 5)])
  t.deepEqual(
    (await receive(capture, 1)).map((packet) => numberOf(packet.data)),
    [5],
  )
})

/** The beginning of modules for children: a tiny ring, what sends to it, and what collects garbage. */
function prelude({ a, b }: Network): string {
  return `
    import v8 from 'node:v8'
    import vm from 'node:vm'
    import { setTimeout as sleep } from 'node:timers/promises'
    v8.setFlagsFromString('--expose-gc')
    const gc = vm.runInNewContext('gc')
    const collect = async () => { for (let turn = 0; turn < 10; turn++) { gc(); await sleep(5) } }
    const warnings = []
    process.on('warning', ({ code }) => { if (code?.startsWith('NETRING')) warnings.push(code) })
    const capture = netring.Capture.open('${b.name}', { netns: '${b.netns}', ...${JSON.stringify(tiny)} })
    const injector = netring.Injector.open('${a.name}', { netns: '${a.netns}', frameCount: 8 })
    const send = (number) => traffic.sendAll(injector, [frames.frame(60, number)])
    const take = async (number) => {
      await send(number)
      await capture.readable({ signal: AbortSignal.timeout(10_000) })
      return capture.nextBatch()
    }
    const print = (value) => console.log(JSON.stringify(value))
  `
}

/** Runs a module that has to end by itself. */
function run(net: Network, source: string): unknown {
  return runModule(prelude(net) + source, ['timeout', '40'])
}

test.serial('batches that are dropped are given back and warned of once', (t) => {
  const { seen, drops, warnings } = run(
    network(t),
    `
    const seen = []
    const touch = [() => {}, (batch) => batch.buffer, (batch) => batch.columns.length, (batch) => batch.at(0).data, (batch) => batch.copy()]
    const drop = async (number) => {
      const batch = await take(number)
      touch[number % touch.length](batch)
      seen.push(batch.length)
    }
    for (let number = 0; number < 20; number++) {
      await drop(number)
      await collect()
    }
    print({ seen, drops: capture.cumulativeStats().drops, warnings })
    `,
  ) as { seen: number[]; drops: number; warnings: string[] }
  t.deepEqual(seen, new Array(20).fill(1))
  t.is(drops, 0)
  t.deepEqual(warnings, ['NETRING_UNRELEASED_BATCH'])
})

test.serial('a Buffer, a column or a packet of a dropped batch keeps it', (t) => {
  const { kept, before, after } = run(
    network(t),
    `
    const held = {}
    await (async () => { held.data = (await take(41)).at(0).data })()
    await (async () => { held.column = (await take(42)).columns.capturedLength })()
    await (async () => { held.packet = (await take(43)).at(0) })()
    await collect()
    for (let number = 0; number < 5; number++) await send(number)
    await collect()
    const kept = [frames.numberOf(held.data), held.column[0], frames.numberOf(held.packet.data)]
    const before = [...warnings]
    delete held.data
    delete held.column
    delete held.packet
    await collect()
    print({ kept, before, after: warnings })
    `,
  ) as { kept: number[]; before: string[]; after: string[] }
  t.deepEqual(kept, [41, 60, 43])
  t.deepEqual(before, [])
  t.deepEqual(after, ['NETRING_UNRELEASED_BATCH'])
})

test.serial('what is released or closed in time is not warned of', (t) => {
  const warnings = run(
    network(t),
    `
    for (let number = 0; number < 10; number++) {
      const batch = await take(number)
      batch.at(0).data
      batch.release()
      injector.allocate(60).discard()
    }
    await (async () => { await take(11); injector.allocate(60) })()
    capture.close()
    injector.close()
    await collect()
    print(warnings)
    `,
  )
  t.deepEqual(warnings, [])
})

test.serial('slots that are dropped come back and are warned of once; a Buffer keeps its slot', (t) => {
  const { available, kept, length, warnings } = run(
    network(t),
    `
    const held = { data: injector.allocate(60).data }
    const available = []
    for (let times = 0; times < 3; times++) {
      ;(() => { while (injector.allocate(60) !== undefined); })()
      available.push(injector.availableSlots)
      await collect()
      available.push(injector.availableSlots)
      ;(() => { for (let slot; (slot = injector.allocate(60)) !== undefined;) slot.data.fill(1) })()
      await collect()
      available.push(injector.availableSlots)
    }
    const { length } = held.data
    const kept = injector.availableSlots
    delete held.data
    await collect()
    print({ available: [...available, injector.availableSlots], kept, length, warnings })
    `,
  ) as { available: number[]; kept: number; length: number; warnings: string[] }
  t.deepEqual(available, [0, 7, 7, 0, 7, 7, 0, 7, 7, 8])
  t.is(kept, 7)
  t.is(length, 60)
  t.deepEqual(warnings, ['NETRING_UNRELEASED_SLOT'])
})

test.serial('process.exit() inside a for await loop ends the process with its code', (t) => {
  const printed = run(
    network(t),
    `
    capture.on('linkDown', () => {})
    const waiting = capture.recv()
    injector.allocate(60).data.fill(1)
    setInterval(() => send(1), 1)
    for await (const batch of capture) {
      const views = [batch.buffer, batch.columns.offset, batch.at(0).data]
      print(views.every((view) => view.length > 0))
      process.exit(0)
    }
    `,
  )
  t.true(printed)
})

test.serial('what is open does not keep the process alive; who waits does, unless unref()', (t) => {
  const net = network(t)
  const runs = (ms: number, source: string): unknown =>
    run(
      net,
      `
      let lasted = false
      setTimeout(() => { lasted = true; process.exit() }, ${String(ms)}).unref()
      process.on('exit', () => print(lasted))
      ${source}
      `,
    )
  const lasts = (source: string): unknown => runs(700, source)
  // A busy machine takes its time, and who ends does not wait for it.
  const ends = (source: string): boolean => runs(10_000, source) === false
  t.true(ends(''), 'open')
  t.true(ends(`const batch = await take(1); injector.allocate(60); capture.on('linkDown', () => {})`), 'in use')
  t.true(lasts('capture.readable().catch(() => {})'), 'readable()')
  t.true(lasts('capture.recv().catch(() => {})'), 'recv()')
  t.true(lasts('void (async () => { for await (const batch of capture) batch.release() })()'), 'for await')
  t.true(ends('capture.unref(); capture.readable().catch(() => {})'), 'unref() before')
  t.true(ends('capture.readable().catch(() => {}); capture.unref()'), 'unref() after')
  t.true(lasts('capture.unref(); capture.readable().catch(() => {}); capture.ref()'), 'ref() again')
  t.true(ends('capture.readable().catch(() => {}); capture.close()'), 'close()')
  t.true(ends('await capture.readable({ signal: AbortSignal.timeout(20) }).catch(() => {})'), 'abort')
})

/** What is dropped without release is given back; what is in use keeps its batch; what is open keeps no process alive. */
import test from 'ava'
import { runModule } from '../helpers/child.js'
import { type Network, network } from '../helpers/network.js'
import { tiny } from '../helpers/views.js'

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
    const touch = [() => {}, (batch) => batch.buffer, (batch) => batch.columns.length, (batch) => batch.at(0).data, (batch) => batch.copy(), (batch) => batch.parse()]
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

test.serial('a Buffer, a column, a parsed column or a packet of a dropped batch keeps it', (t) => {
  const { kept, before, after } = run(
    network(t),
    `
    const held = {}
    await (async () => { held.data = (await take(41)).at(0).data })()
    await (async () => { held.column = (await take(42)).columns.capturedLength })()
    await (async () => { held.packet = (await take(43)).at(0) })()
    await (async () => { held.etherType = (await take(44)).parse().etherType })()
    await collect()
    for (let number = 0; number < 5; number++) await send(number)
    await collect()
    const kept = [frames.numberOf(held.data), held.column[0], frames.numberOf(held.packet.data), held.etherType[0] === frames.ETHERTYPE]
    const before = [...warnings]
    delete held.data
    delete held.column
    delete held.packet
    delete held.etherType
    await collect()
    print({ kept, before, after: warnings })
    `,
  ) as { kept: (number | boolean)[]; before: string[]; after: string[] }
  t.deepEqual(kept, [41, 60, 43, true])
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

/** Who stops a send while there is room has stopped it: nothing is queued after the rejection. */
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import type { PacketSink } from '../../src/index.js'
import { frame, numbered } from '../../testkit/frames.mjs'
import { network, type End } from '../helpers/network.js'
import { injectorOn } from '../helpers/traffic.js'
import { xdpOn, xdpTest } from '../helpers/xdp.js'

type Test = (title: string, body: (t: ExecutionContext) => Promise<void>) => void
type MakeSink = (t: ExecutionContext, at: End) => PacketSink

const sinks: Record<string, [Test, MakeSink]> = {
  'an injector': [test.serial, (t, at) => injectorOn(t, at, { frameCount: 64 })],
  'an XDP socket': [xdpTest, (t, at) => xdpOn(t, at, { mode: 'tx', frameCount: 64, txSize: 64 })],
}

/** All that was ever queued. */
function queued(sink: PacketSink): number {
  const { sent, rejected, pending } = sink.txStats()
  return sent + rejected + pending
}

/** More turns than a sender that goes on needs to show it: it queues something in each in which there is room. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
}

for (const [name, [testOf, open]] of Object.entries(sinks)) {
  testOf(`${name}: many frames that are stopped half-way stop there`, async (t) => {
    const sink = open(t, network(t).a)
    const reason = new Error('enough')
    const controller = new AbortController()
    const sent = sink.sendBatchAsync(numbered(50_000), { signal: controller.signal })
    setImmediate(() => {
      setImmediate(() => {
        controller.abort(reason)
      })
    })
    t.is(await t.throwsAsync(sent), reason)
    const before = queued(sink)
    await turns()
    t.is(queued(sink), before)
    await sink.sendAsync(frame(60))
    t.is(queued(sink), before + 1, 'and who sends next is not behind them')
  })

  testOf(`${name}: a frame that is stopped while room is made for it is not queued`, async (t) => {
    const sink = open(t, network(t).a)
    const reason = new Error('enough')
    for (let microtasks = 0; microtasks < 8; microtasks++) {
      await sink.drained({ signal: AbortSignal.timeout(10_000) })
      const slots = sink.sendBatch(numbered(sink.availableSlots))
      t.true(slots > 0 && sink.availableSlots === 0)
      const before = queued(sink)
      const controller = new AbortController()
      const sent = sink.sendAsync(frame(60), { signal: controller.signal })
      for (let left = microtasks; left > 0; left--) await Promise.resolve()
      controller.abort(reason)
      t.is(await t.throwsAsync(sent), reason)
      await turns()
      t.is(queued(sink), before)
    }
  })

  testOf(`${name}: a call rejects or has queued its frame, whenever it is stopped`, async (t) => {
    const sink = open(t, network(t).a)
    for (let microtasks = 0; microtasks < 12; microtasks++) {
      const before = queued(sink)
      const controller = new AbortController()
      const first = sink.sendBatchAsync([frame(60)], { signal: controller.signal })
      const sent = sink.sendAsync(frame(60), { signal: controller.signal })
      for (let left = microtasks; left > 0; left--) await Promise.resolve()
      controller.abort()
      const outcomes = await Promise.allSettled([first, sent])
      await turns()
      t.is(queued(sink) - before, outcomes.filter(({ status }) => status === 'fulfilled').length)
    }
  })

  testOf(`${name}: a stream that is stopped half-way stops there`, async (t) => {
    const sink = open(t, network(t).a)
    const controller = new AbortController()
    const writable = sink.writable({ signal: controller.signal, highWaterMark: 100_000 })
    writable.cork()
    for (const bytes of numbered(50_000)) writable.write(bytes)
    writable.uncork()
    const failed = once(writable, 'error')
    setImmediate(() => {
      controller.abort()
    })
    const [error] = (await failed) as [Error]
    t.is(error.name, 'AbortError')
    const before = queued(sink)
    await turns()
    t.is(queued(sink), before)
  })
}

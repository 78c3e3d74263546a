/** Code that is written against PacketSource and PacketSink runs on AF_PACKET and on AF_XDP alike. */
import type { ExecutionContext } from 'ava'
import { once } from 'node:events'
import type { Batch, PacketSink, PacketSource } from '../../src/index.js'
import { frame, numberOf, numbered, numbers, upTo } from '../../testkit/frames.mjs'
import { network, type End } from '../helpers/network.js'
import { captureOn, injectorOn, receive, sendAll } from '../helpers/traffic.js'
import { assertOver, collect, numbersOf, viewsOf } from '../helpers/views.js'
import { xdpOn, xdpTest } from '../helpers/xdp.js'

interface Pair {
  readonly source: (t: ExecutionContext, at: End) => PacketSource
  readonly sink: (t: ExecutionContext, at: End) => PacketSink
}

/** Sources have frames for all that a test sends, should the reader not be scheduled meanwhile. */
const pairs: Record<string, Pair> = {
  'Capture and Injector': {
    source: (t, at) => captureOn(t, at, { blockCount: 32 }),
    sink: (t, at) => injectorOn(t, at),
  },
  'XdpSocket in native mode': {
    source: (t, at) => xdpOn(t, at, { mode: 'rx', attach: 'native', frameCount: 8192 }),
    sink: (t, at) => xdpOn(t, at, { mode: 'tx', frameCount: 1024 }),
  },
  'XdpSocket in skb mode, both ways': {
    source: (t, at) => xdpOn(t, at, { attach: 'skb', frameCount: 16384 }),
    sink: (t, at) => xdpOn(t, at, { attach: 'skb' }),
  },
}

/** Waits for a batch and takes it. */
async function next(source: PacketSource): Promise<Batch> {
  await source.readable({ signal: AbortSignal.timeout(10_000) })
  const batch = source.nextBatch()
  if (batch === undefined) throw new Error('no batch after readable()')
  return batch
}

for (const [name, pair] of Object.entries(pairs)) {
  const alike = (
    title: string,
    body: (t: ExecutionContext, source: PacketSource, sink: PacketSink) => Promise<void>,
  ): void => {
    xdpTest(`${name}: ${title}`, (t) => {
      const { a, b } = network(t)
      return body(t, pair.source(t, b), pair.sink(t, a))
    })
  }

  alike('a burst of 4096 frames, backpressure included', async (t, source, sink) => {
    const frames = upTo(4096).map((number) => frame(60 + (number % 900), number))
    const got = receive(source, frames.length)
    await sendAll(sink, frames)
    t.true((await got).every(({ data }, index) => data.equals(frames[index]!)))
    t.deepEqual(source.cumulativeStats(), { packets: 4096, drops: 0, freezeCount: 0 })
    t.is(sink.txStats().sent, 4096)
    t.is(sink.txStats().pending, 0)
    t.is(sink.rejectedSlots, 0)
  })

  alike('every way to read', async (t, source, sink) => {
    await sendAll(sink, numbered(10))
    t.deepEqual(
      Array.from(source.packets({ count: 10 }), ({ data }) => numberOf(data)),
      upTo(10),
    )
    await sendAll(sink, numbered(10))
    let seen = 0
    for await (const packet of source.packetsAsync({ count: 10 })) t.is(numberOf(packet.data), seen++)
    const writable = sink.writable()
    for (const bytes of numbered(10)) writable.write(bytes)
    writable.end()
    await once(writable, 'finish')
    seen = 0
    for await (const batch of source) {
      for (const packet of batch) t.is(numberOf(packet.data), seen++)
      if (seen === 10) break
    }
    await sendAll(sink, numbered(1))
    const reader = source.readableStream().getReader()
    const { value } = await reader.read()
    t.deepEqual(numbersOf(value!), [0])
    value!.release()
    await reader.cancel()
    t.is(source.nextBatchBlocking(1), undefined)
  })

  alike('batches are counted from 1, held, and given back in any order', async (t, source, sink) => {
    const held: Batch[] = []
    for (const number of upTo(6)) {
      await sendAll(sink, [frame(200, number)])
      held.push(await next(source))
    }
    t.deepEqual(
      held.map(({ seqNum }) => seqNum),
      [1, 2, 3, 4, 5, 6],
    )
    t.deepEqual(held.flatMap(numbersOf), upTo(6))
    for (const index of [3, 0, 5, 1, 4, 2]) {
      const batch = held[index]!
      t.deepEqual(numbersOf(batch), [index], 'untouched until it is released')
      const views = viewsOf(batch)
      batch.release()
      t.true(views.every((view) => view.length === 0))
      assertOver(t, batch)
    }
    await sendAll(sink, numbered(1000))
    t.deepEqual(numbers(await receive(source, 1000)), upTo(1000))
  })

  alike('close() with live views and slots', async (t, source, sink) => {
    await sendAll(sink, [frame(200, 1), frame(200, 2)])
    const batch = await next(source)
    const views = viewsOf(batch)
    const slot = sink.allocate(60)!
    views.push(slot.data)
    const waits = [source.readable(), source.recv()]
    const events: string[] = []
    source.on('close', () => events.push('close'))
    source.close()
    sink.close()
    source.close()
    for (const wait of waits) await t.throwsAsync(wait, { code: 'ERR_NETRING_CLOSED' })
    t.true(views.every((view) => view.length === 0))
    assertOver(t, batch)
    t.true(source.closed && sink.closed)
    t.throws(() => source.nextBatch(), { code: 'ERR_NETRING_CLOSED' })
    t.throws(() => sink.send(frame(60)), { code: 'ERR_NETRING_CLOSED' })
    t.throws(
      () => {
        slot.send()
      },
      { code: 'ERR_NETRING_CLOSED' },
    )
    await collect()
    t.deepEqual(events, ['close'])
  })

  alike('aborting rejects with the reason', async (t, source) => {
    const reason = new Error('enough')
    const controller = new AbortController()
    const waits = [source.readable({ signal: controller.signal }), source.recv({ signal: controller.signal })]
    controller.abort(reason)
    for (const wait of waits) t.is(await t.throwsAsync(wait), reason)
    t.is(await t.throwsAsync(source.recv({ signal: AbortSignal.timeout(10) }), { any: true }).then(() => 1), 1)
  })

  alike('JavaScript may write whatever it likes into a batch', async (t, source, sink) => {
    for (const byte of [0xff, 0, 0x5a]) {
      await sendAll(sink, [frame(200, 1), frame(200, 2)])
      let seen = 0
      while (seen < 2) {
        const batch = await next(source)
        const lengths = [...batch.columns.capturedLength]
        batch.buffer.fill(byte)
        t.deepEqual([...batch.columns.capturedLength], lengths, 'columns are copies')
        t.true(batch.at(0)!.data.every((one) => one === byte))
        seen += batch.length
        batch.release()
      }
      await sendAll(sink, numbered(1000))
      t.deepEqual(numbers(await receive(source, 1000)), upTo(1000))
    }
  })

  alike('bytes moved by transfer() show the old packets', async (t, source, sink) => {
    await sendAll(sink, [frame(200, 7)])
    const batch = await next(source)
    const { buffer } = batch.buffer as { buffer: ArrayBuffer & { transfer?: () => ArrayBuffer } }
    const at = batch.columns.offset[0]!
    const moved = buffer.transfer?.()
    batch.release()
    assertOver(t, batch)
    await sendAll(sink, numbered(1500))
    t.deepEqual(numbers(await receive(source, 1500)), upTo(1500))
    if (moved !== undefined) t.true(Buffer.from(moved, at, 200).equals(frame(200, 7)))
    source.close()
    if (moved !== undefined) new Uint8Array(moved).fill(1)
    await collect()
  })
}

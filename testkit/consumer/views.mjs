/** What becomes of views: the part in which runtimes differ. */
import assert from 'node:assert/strict'
import { frame, numberOf, upTo } from '../frames.mjs'
import { collect, gc } from '../memory.mjs'
import { check, Skip } from '../tap.mjs'
import { sendAll } from '../traffic.mjs'
import { openCapture, openInjector, packetSockets, receive, same, take } from './place.mjs'

const RELEASED = { code: 'ERR_NETRING_RELEASED' }

/** Runs with a tiny ring and what sends into it. */
function withRing(body) {
  return (after) => body(openCapture(after), openInjector(after, { frameCount: 256 }))
}

function viewsOf(batch) {
  const columns = ['offset', 'capturedLength', 'originalLength', 'seconds', 'status', 'vlanTci', 'direction']
  return [
    batch.buffer,
    batch.at(0).data,
    batch.at(0).data.subarray(4, 20),
    ...columns.map((name) => batch.columns[name]),
    ...Object.values(batch.parse()),
  ]
}

function assertEmpty(views) {
  for (const view of views) {
    assert.equal(view.length, 0)
    assert.equal(view.byteLength, 0)
    assert.equal(view[0], undefined)
    view[0] = 1
  }
}

/** Gives the ring more than it holds, and takes it out as far as it comes. */
async function goRound(capture, injector) {
  for (let number = 1000; number < 1010; number++) {
    await sendAll(
      injector,
      upTo(100).map(() => frame(1000, number)),
    )
    capture.nextBatch()?.release()
  }
  for (let batch; (batch = capture.nextBatchBlocking(20));) batch.release()
}

for (const [how, end] of [
  ['release()', (batch) => batch.release()],
  ['close()', (_batch, capture) => capture.close()],
]) {
  check(
    `after ${how} every view is empty`,
    withRing(async (capture, injector) => {
      const batch = await take(capture, injector, 1)
      const packet = batch.at(0)
      const views = viewsOf(batch)
      const copy = packet.copy()
      for (const view of views) assert.ok(view.length > 0)
      end(batch, capture)
      assertEmpty(views)
      assert.ok(batch.released)
      assert.throws(() => packet.timestamp, RELEASED)
      assert.throws(() => batch.at(0), RELEASED)
      assert.ok(copy.data.equals(frame(200, 1)))
    }),
  )
}

check(
  'a slot is empty once it was sent or discarded',
  withRing(async (capture, injector) => {
    const [sent, discarded] = [injector.allocate(200), injector.allocate(200)]
    const views = [sent.data, discarded.data]
    for (const view of views) assert.equal(view.length, 200)
    frame(200, 5).copy(sent.data)
    sent.send()
    discarded.discard()
    assertEmpty(views)
    injector.flush()
    same(await receive(capture, 1), [frame(200, 5)])
  }),
)

check(
  'what transfer() moved away shows the old packets until it is collected, and nothing else',
  withRing(async (capture, injector) => {
    if (ArrayBuffer.prototype.transfer === undefined) throw new Skip('this runtime has no transfer()')
    const moved = { bytes: undefined }
    let place
    await (async () => {
      const batch = await take(capture, injector, 3)
      place = batch.columns.offset[0]
      const view = batch.buffer
      moved.bytes = Buffer.from(view.buffer.transfer())
      assertEmpty([view])
      batch.release()
    })()
    await goRound(capture, injector)
    assert.ok(moved.bytes.subarray(place, place + 200).equals(frame(200, 3)))
    const withheld = capture.cumulativeStats().drops
    assert.ok(withheld > 0, 'the kernel stops at the block')
    moved.bytes = undefined
    await collect()
    assert.equal(numberOf((await take(capture, injector, 4)).at(0).data), 4, 'and goes on once it is collected')
  }),
)

check(
  'structuredClone() copies a view; with transfer it is refused, copies, or moves',
  withRing(async (capture, injector) => {
    const batch = await take(capture, injector, 6)
    const [place] = batch.columns.offset
    const clone = structuredClone(batch.at(0).data)
    const { buffer } = batch.buffer
    let bytes
    try {
      bytes = Buffer.from(structuredClone(buffer, { transfer: [buffer] }))
    } catch (error) {
      assert.equal(error.name, 'DataCloneError')
    }
    batch.release()
    await goRound(capture, injector)
    assert.ok(Buffer.from(clone).equals(frame(200, 6)))
    if (bytes !== undefined) assert.ok(bytes.subarray(place, place + 200).equals(frame(200, 6)))
  }),
)

check(
  'a view that is held keeps its batch, one that is dropped gives it back',
  withRing(async (capture, injector) => {
    const drop = async (number) => {
      const batch = await take(capture, injector, number)
      assert.equal(numberOf(batch.at(0).data), number)
    }
    const held = { data: await (async () => (await take(capture, injector, 10)).at(0).data)() }
    await drop(11)
    await collect()
    assert.equal(numberOf(held.data), 10)
    held.data = undefined
    // Several times as many as the ring has blocks: each must come back by itself.
    for (let number = 12; number < 30; number++) {
      await collect()
      await drop(number)
    }
    assert.equal(capture.cumulativeStats().drops, 0)
  }),
)

check(
  'closing with views held frees the socket; bytes that were moved away are then zeros, and can be written',
  withRing(async (capture, injector) => {
    const batch = await take(capture, injector, 8)
    const moved = ArrayBuffer.prototype.transfer && Buffer.from(batch.buffer.buffer.transfer())
    const before = packetSockets()
    capture.close()
    assert.equal(packetSockets(), before - 1)
    if (moved === undefined) return
    assert.ok(moved.length > 0)
    assert.ok(
      moved.every((byte) => byte === 0),
      'closing left something in the ring',
    )
    moved.fill(0xff)
    gc()
  }),
)

check(
  'packets that were copied keep their bytes',
  withRing(async (capture, injector) => {
    const batch = await take(capture, injector, 9)
    const copies = batch.copy()
    capture.close()
    same(
      copies.map(({ data }) => data),
      [frame(200, 9)],
    )
  }),
)

check('captures that are dropped without close() are collected, rings and all', async (after) => {
  const injector = openInjector(after)
  const before = packetSockets()
  for (let times = 0; times < 20; times++) {
    await (async () => {
      // Nothing here closes it.
      const capture = openCapture(() => undefined)
      const batch = await take(capture, injector, times)
      assert.equal(numberOf(batch.buffer.subarray(batch.columns.offset[0])), times)
    })()
    gc()
  }
  await collect()
  // The last one may be held by what the engine keeps of a function that has ended.
  assert.ok(packetSockets() <= before + 1, `${packetSockets() - before} sockets are left`)
})

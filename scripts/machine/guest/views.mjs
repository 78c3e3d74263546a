/** The lifetime of views, whatever becomes of batch, capture and thread. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { Capture } from 'netring'
import { frames, receive, same, send } from './frames.mjs'
import { check, until } from './harness.mjs'
import { packetSockets, veth } from './system.mjs'

/** A batch in hand, and every kind of view over it. */
async function held(after) {
  veth(after)
  const capture = Capture.open('vb', { blockSize: 65536, blockCount: 4 })
  after(() => capture.close())
  const sent = frames(20)
  await send('va', sent)
  const batch = capture.nextBatchBlocking(30_000)
  const views = [batch.buffer, batch.columns.offset, ...[...batch].map(({ data }) => data)]
  assert.ok(views.every(({ length }) => length > 0))
  return { capture, batch, views, sent }
}

check('views are empty once their batch is released, and the ring goes on', async (after) => {
  const { capture, batch, views } = await held(after)
  batch.release()
  assert.deepEqual(
    views.map(({ length }) => length),
    views.map(() => 0),
  )
  for (let turn = 0; turn < 20; turn++) {
    const more = frames(40, 1514, turn)
    await send('va', more)
    const got = await receive(capture, 40)
    assert.ok(got.length >= 40)
  }
  assert.deepEqual(
    views.map(({ length }) => length),
    views.map(() => 0),
  )
})

check('closing with views held makes them empty and frees the socket', async (after) => {
  const { capture, views } = await held(after)
  assert.equal(packetSockets(), 1)
  capture.close()
  assert.equal(packetSockets(), 0)
  assert.deepEqual(
    views.map(({ length }) => length),
    views.map(() => 0),
  )
})

check('bytes that were moved away show the old packets until closing, and can be read after it', async (after) => {
  const { capture, batch } = await held(after)
  const moved = Buffer.from(batch.buffer.buffer.transfer())
  const before = Buffer.from(moved)
  batch.release()
  for (let turn = 0; turn < 5; turn++) await send('va', frames(100, 1514, turn + 2))
  assert.ok(moved.equals(before), 'the kernel wrote into a block that is withheld')
  capture.close()
  assert.equal(moved.length, before.length)
  assert.ok(
    moved.every((byte) => byte === 0),
    'closing left something in the ring',
  )
  moved.fill(0xff)
  globalThis.gc()
})

check('packets that were copied keep their bytes', async (after) => {
  const { capture, batch, sent } = await held(after)
  const copies = batch.copy()
  batch.release()
  capture.close()
  same(
    copies.map(({ data }) => data),
    sent.slice(0, copies.length),
  )
})

check('a worker that is terminated with views in hand leaves no socket', async (after) => {
  veth(after)
  const code = `
    import { parentPort } from 'node:worker_threads'
    import { Capture } from 'netring'
    const capture = Capture.open('vb', { profile: 'lowMemory' })
    parentPort.postMessage('open')
    await capture.readable()
    globalThis.held = [...capture.nextBatch()].map(({ data }) => data)
    parentPort.postMessage(held.length)
    setInterval(() => held, 1000)`
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(withPath(code))}`))
  after(() => worker.terminate())
  assert.deepEqual(await once(worker, 'message'), ['open'])
  await send('va', frames(10))
  const [count] = await once(worker, 'message')
  assert.ok(count > 0)
  await worker.terminate()
  await until('the socket goes', () => packetSockets() === 0)
})

/** A module that is data has no folder to look for packages from. */
function withPath(code) {
  return code.replace(`'netring'`, `'${import.meta.resolve('netring')}'`)
}

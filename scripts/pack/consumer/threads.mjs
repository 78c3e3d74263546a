/** Worker threads: the addon is loaded once for the process, and each of them opens and ends by itself. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { FanoutPool } from 'netring'
import { check, Skip } from './tap.mjs'
import { collect, ends, frame, numberOf, openCapture, openInjector, receive, sendAll } from './network.mjs'

function start(task) {
  return new Worker(new URL('worker.mjs', import.meta.url), { workerData: task })
}

async function message(worker) {
  const [value] = await once(worker, 'message', { signal: AbortSignal.timeout(20_000) })
  return value
}

check('50 workers load the addon and end, ten at a time, while the main thread captures', async () => {
  const capture = openCapture()
  const injector = openInjector()
  for (let round = 0; round < 5; round++) {
    const workers = Array.from({ length: 10 }, () => start('open'))
    const ended = workers.map((worker) => once(worker, 'exit', { signal: AbortSignal.timeout(20_000) }))
    assert.deepEqual(
      await Promise.all(workers.map(message)),
      workers.map(() => 'opened'),
    )
    await Promise.all(ended)
    await sendAll(injector, [frame(60, round)])
    assert.equal(numberOf((await receive(capture, 1))[0].data), round)
  }
  capture.close()
  injector.close()
})

check('terminating a worker that holds views and waits harms nobody', async () => {
  const capture = openCapture()
  const injector = openInjector()
  for (let times = 0; times < 5; times++) {
    const worker = start('hold')
    assert.equal(await message(worker), 'waits')
    await sendAll(injector, [frame(200, times)])
    assert.equal(await message(worker), times)
    await worker.terminate()
    assert.equal(numberOf((await receive(capture, 1))[0].data), times)
  }
  capture.close()
  injector.close()
})

check('bytes that a worker has moved to this thread outlive it', async () => {
  if (ArrayBuffer.prototype.transfer === undefined) throw new Skip('this runtime has no transfer()')
  const injector = openInjector()
  for (let times = 0; times < 5; times++) {
    const worker = start('move')
    assert.equal(await message(worker), 'waits')
    await sendAll(injector, [frame(200, times)])
    const bytes = Buffer.from(await message(worker))
    bytes.fill(0x11)
    await worker.terminate()
    await collect()
    assert.ok(bytes.every((byte) => byte === 0x11 || byte === 0))
    bytes.fill(0x22)
    assert.ok(bytes.every((byte) => byte === 0x22))
  }
  injector.close()
})

check('a pool shares the packets among its workers', async () => {
  const pool = await FanoutPool.start(ends.b, new URL('member.mjs', import.meta.url), {
    workers: 2,
    mode: 'loadBalance',
    capture: { profile: 'lowMemory', blockTimeoutMs: 5, ignoreOutgoing: true },
  })
  const numbers = []
  const all = new Promise((resolve) => {
    pool.on('message', (seen) => {
      numbers.push(...seen)
      if (numbers.length === 200) resolve()
    })
  })
  const injector = openInjector()
  await sendAll(
    injector,
    Array.from({ length: 200 }, (_, number) => frame(60, number)),
  )
  await all
  await pool.stop()
  injector.close()
  assert.deepEqual(
    numbers.sort((a, b) => a - b),
    Array.from({ length: 200 }, (_, number) => number),
  )
})

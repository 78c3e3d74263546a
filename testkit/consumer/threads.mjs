/** Worker threads: the addon is loaded once for the process, and each of them opens and ends by itself. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { FanoutPool } from 'netring'
import { frame, numberOf, numbered, upTo } from '../frames.mjs'
import { collect, openDescriptors } from '../memory.mjs'
import { check, Skip } from '../tap.mjs'
import { sendAll, until } from '../traffic.mjs'
import { ends, openCapture, openInjector, receive } from './place.mjs'

/** Of an emulated processor, too. */
const LIMIT_MS = 60_000

function start(task) {
  return new Worker(new URL('worker.mjs', import.meta.url), { workerData: task })
}

async function message(worker) {
  const [value] = await once(worker, 'message', { signal: AbortSignal.timeout(LIMIT_MS) })
  return value
}

/** Deno leaves open what a worker had when it ends, so that netring refuses there. */
const refused = process.versions.deno !== undefined
const checkThreads = refused ? () => undefined : check

if (refused) {
  check('a worker and a pool are refused, because what a worker has open would outlive it', async () => {
    const worker = start('open')
    const [error] = await once(worker, 'error', { signal: AbortSignal.timeout(LIMIT_MS) })
    assert.match(error.message, /Deno does not free/)
    await worker.terminate()
    const pool = FanoutPool.start(ends.b, new URL('member.mjs', import.meta.url), { workers: 2 })
    await assert.rejects(pool, { code: 'ERR_NETRING_UNSUPPORTED', message: /Deno does not free/ })
  })
}

/** Fewer where a processor is emulated and each takes seconds to start. */
const rounds = Number(process.env.NETRING_CHECK_ROUNDS ?? 5)

checkThreads(
  `${rounds}0 workers load the addon and end, ten at a time, while the main thread captures`,
  async (after) => {
    const capture = openCapture(after)
    const injector = openInjector(after)
    for (let round = 0; round < rounds; round++) {
      const workers = upTo(10).map(() => start('open'))
      const ended = workers.map((worker) => once(worker, 'exit', { signal: AbortSignal.timeout(LIMIT_MS) }))
      assert.deepEqual(
        await Promise.all(workers.map(message)),
        workers.map(() => 'opened'),
      )
      await Promise.all(ended)
      await sendAll(injector, [frame(60, round)])
      assert.equal(numberOf((await receive(capture, 1))[0]), round)
    }
  },
)

checkThreads('terminating a worker that holds views and waits frees what it held, and harms nobody', async (after) => {
  const capture = openCapture(after)
  const injector = openInjector(after)
  let before
  for (let times = 0; times < 6; times++) {
    // The first one may start what the runtime keeps for all.
    if (times === 1) before = openDescriptors()
    const worker = start('hold')
    assert.equal(await message(worker), 'waits')
    await sendAll(injector, [frame(200, times)])
    assert.equal(await message(worker), times)
    await worker.terminate()
    assert.equal(numberOf((await receive(capture, 1))[0]), times)
  }
  await until(() => openDescriptors() <= before)
  assert.equal(openDescriptors(), before)
})

checkThreads('bytes that a worker has moved to this thread outlive it', async (after) => {
  if (ArrayBuffer.prototype.transfer === undefined) throw new Skip('this runtime has no transfer()')
  const injector = openInjector(after)
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
})

checkThreads('a pool shares the packets among its workers', async (after) => {
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
  await sendAll(openInjector(after), numbered(200))
  await all
  await pool.stop()
  assert.deepEqual(
    numbers.sort((a, b) => a - b),
    upTo(200),
  )
})

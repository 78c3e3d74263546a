/**
 * Fanout: worker threads that share the packets of an interface.
 *
 *     npm run example fanout -- INTERFACE [--workers N] [--mode MODE] [--count N] [--seconds N]
 *
 * Each worker has a ring and an event loop of its own; the kernel gives every packet to one of them. With mode 'hash', the
 * default, both directions of a flow go to the same worker. This file is both: the program, and the module of its workers.
 */
import { isMainThread } from 'node:worker_threads'
import { FanoutPool, type FanoutContext, type FanoutMode, type PacketSource } from 'netring'
import { cli } from './lib/cli.ts'

/** What a worker has got so far. */
interface Share {
  readonly packets: number
  readonly flows: number
}

/** In each worker. */
export default async function (source: PacketSource, context: FanoutContext): Promise<void> {
  const flows = new Set<number>()
  let packets = 0
  for await (const { columns, length } of source) {
    const { rxhash } = columns // the kernel's hash of a flow, the same for both directions
    for (let i = 0; i < length; i++) flows.add(rxhash[i]!)
    packets += length
    context.post({ packets, flows: flows.size } satisfies Share)
  }
}

if (isMainThread) {
  const {
    names: [name],
    options: { workers, mode, count },
    signal,
  } = cli(['INTERFACE'], { workers: NaN, mode: 'hash', count: Infinity })

  await using pool = await FanoutPool.start(name, new URL(import.meta.url), {
    mode: mode as FanoutMode,
    ...(workers > 0 && { workers }),
    signal,
  }).catch((error: unknown) => {
    if (signal.aborted) process.exit() // before all workers were there
    throw error
  })
  console.log(`${pool.workers.length} workers share ${name}`)
  const shares = pool.workers.map((): Share => ({ packets: 0, flows: 0 }))
  pool.on('message', (message, worker) => {
    shares[worker] = message as Share
    if (shares.reduce((sum, { packets }) => sum + packets, 0) >= count) void pool.stop()
  })
  await pool.finished()
  for (const [worker, { packets, flows }] of shares.entries()) {
    console.log(`worker ${worker}: ${packets} packets of ${flows} flows`)
  }
  const { drops } = await pool.stats()
  console.log(`${drops} dropped`)
}

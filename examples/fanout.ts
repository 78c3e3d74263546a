/**
 * Fanout: worker threads that share the packets of an interface.
 *
 *     npm run example fanout -- INTERFACE [--workers N] [--mode MODE] [--count N] [--seconds N]
 *
 * Each worker has a ring and an event loop of its own; the kernel gives every packet to one of them. With mode 'hash', the
 * default, both directions of a flow go to the same worker. Prints what each of them got.
 */
import { once } from 'node:events'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Capture, suggestFanoutThreads, type FanoutOptions } from 'netring'
import { cli } from './lib/cli.ts'

/** What a worker has got so far. */
interface Share {
  readonly packets: number
  readonly flows: number
  readonly drops: number
}

if (isMainThread) await main()
else await work(workerData as { readonly name: string; readonly fanout: FanoutOptions })

async function main(): Promise<void> {
  const {
    names: [name],
    options: { workers, mode, count },
    signal,
  } = cli(['INTERFACE'], { workers: NaN, mode: 'hash', count: Infinity })

  const shares: Share[] = []
  const enough = new AbortController()
  let group: number | 'unique' = 'unique'
  for (let index = 0; index < (workers || suggestFanoutThreads(name)); index++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { name, fanout: { mode, group } } })
    // The first one makes the group, the others join it.
    ;[group] = (await once(worker, 'message')) as [number]
    shares.push({ packets: 0, flows: 0, drops: 0 })
    worker.on('message', (share: Share) => {
      shares[index] = share
      if (shares.reduce((sum, { packets }) => sum + packets, 0) >= count) enough.abort()
    })
  }
  console.log(`${shares.length} workers share ${name} in fanout group ${group}`)
  const stop = AbortSignal.any([signal, enough.signal])
  if (!stop.aborted) await once(stop, 'abort')
  for (const [index, { packets, flows, drops }] of shares.entries()) {
    console.log(`worker ${index}: ${packets} packets of ${flows} flows, ${drops} dropped`)
  }
  process.exit() // with the workers: sockets and rings go with them
}

async function work({ name, fanout }: { readonly name: string; readonly fanout: FanoutOptions }): Promise<void> {
  using capture = Capture.open(name, { fanout })
  const flows = new Set<number>()
  let packets = 0
  parentPort!.postMessage(capture.fanoutId)
  for await (const { columns, length } of capture) {
    const { rxhash } = columns // the kernel's hash of a flow, the same for both directions
    for (let i = 0; i < length; i++) flows.add(rxhash[i]!)
    packets += length
    const { drops } = capture.cumulativeStats()
    parentPort!.postMessage({ packets, flows: flows.size, drops } satisfies Share)
  }
}

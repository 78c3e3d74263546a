/**
 * Fanout: worker threads that share the packets of an interface.
 *
 *     npm run example fanout -- INTERFACE [--workers N] [--mode MODE] [--seconds N]
 *
 * Each worker has a ring and an event loop of its own; the kernel gives every packet to one of them. With mode 'hash', the
 * default, both directions of a flow go to the same worker. Prints what each of them got.
 */
import { once } from 'node:events'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Capture, suggestFanoutThreads, type FanoutOptions } from 'netring'
import { cli } from './lib/cli.ts'

/** What a worker says at its end. */
interface Share {
  readonly packets: number
  readonly drops: number
  readonly flows: number
}

if (isMainThread) await main()
else await work(workerData as { readonly name: string; readonly fanout: FanoutOptions })

async function main(): Promise<void> {
  const {
    names: [name],
    options: { workers, mode },
    signal,
  } = cli(['INTERFACE'], { workers: NaN, mode: 'hash' })

  const team: Worker[] = []
  let group: number | 'unique' = 'unique'
  for (let index = 0; index < (workers || suggestFanoutThreads(name)); index++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { name, fanout: { mode, group } } })
    team.push(worker)
    // The first one makes the group, the others join it.
    ;[group] = (await once(worker, 'message')) as [number]
  }
  console.log(`${team.length} workers share ${name} in fanout group ${group}`)
  if (!signal.aborted) await once(signal, 'abort')
  for (const [index, worker] of team.entries()) {
    worker.postMessage('stop')
    const [{ packets, flows, drops }] = (await once(worker, 'message')) as [Share]
    console.log(`worker ${index}: ${packets} packets of ${flows} flows, ${drops} dropped`)
  }
}

async function work({ name, fanout }: { readonly name: string; readonly fanout: FanoutOptions }): Promise<void> {
  using capture = Capture.open(name, { fanout })
  const flows = new Set<number>()
  parentPort!.once('message', () => {
    const { packets, drops } = capture.cumulativeStats()
    parentPort!.postMessage({ packets, drops, flows: flows.size })
    capture.close()
  })
  parentPort!.postMessage(capture.fanoutId)
  for await (const { columns, length } of capture) {
    const { rxhash } = columns
    for (let i = 0; i < length; i++) flows.add(rxhash[i]!)
  }
}

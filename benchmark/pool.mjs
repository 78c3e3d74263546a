// Worker fanout against one capture: `node benchmark/pool.mjs [--trials N] [--count N] [--work A,B] [--workers A,B]`.
//
// The source puts all frames into the rings first, several times faster than they are worked on, and then leaves its CPU to the
// receivers: what is measured is how long they take for them all. Run as root.
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { environment, keep, spread, summarize, table } from './report.mjs'
import { Wire } from './wire.mjs'

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '5' },
    count: { type: 'string', default: '1000000' },
    work: { type: 'string', default: '0,100,500' },
    workers: { type: 'string', default: '0,1,2' },
  },
})
const numbers = (text) => text.split(',').map(Number)
const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const cpus = `0-${availableParallelism() - 1}`
const wire = new Wire(9000)
const results = []
for (let trial = 1; trial <= Number(values.trials); trial++) {
  for (const work of numbers(values.work)) {
    for (const workers of numbers(values.workers)) {
      const flags = ['--workers', `${workers}`, '--work', `${work}`, '--count', values.count, '--interface', 'bm-rx']
      // The wire gives a receiver one CPU; here it may use all.
      const receiver = wire.start('rx', 'receiver', [
        'taskset',
        '-c',
        cpus,
        process.execPath,
        here('recv-pool.mjs'),
        ...flags,
      ])
      let sender
      try {
        await receiver.ready()
        const source = [here('c/bin/livesource'), '--interface', 'bm-rx', '--repeat', values.count, '--size', '64']
        sender = wire.start('rx', 'sender', source)
        const [got, sent] = await Promise.all([receiver.result(60_000), sender.result(60_000)])
        results.push({
          trial,
          work,
          workers,
          ...got,
          sent: sent.sent,
          sourcePps: sent.pps,
          lost: sent.sent - got.packets,
        })
        console.error(`trial ${trial}, work ${work}, ${workers} workers: ${(got.pps / 1e6).toFixed(3)} Mpps`)
      } catch (error) {
        console.error(`trial ${trial}, work ${work}, ${workers} workers: FAILED: ${error.message}`)
      } finally {
        receiver.stop()
        sender?.stop()
      }
    }
  }
}
const own = (work, workers) => results.filter((result) => result.work === work && result.workers === workers)
const median = (list) => summarize(list.map(({ pps }) => pps / 1e6)).median
const rows = numbers(values.work).flatMap((work) =>
  numbers(values.workers).map((workers) => {
    const list = own(work, workers)
    if (list.length === 0) return [`${work}`, `${workers}`, '-', '-', '-', '-']
    const base = own(work, numbers(values.workers)[0])
    return [
      `${work}`,
      workers === 0 ? 'one capture' : `pool of ${workers}`,
      spread(summarize(list.map(({ pps }) => pps / 1e6)), 3),
      (median(list) / median(base)).toFixed(2),
      spread(summarize(list.map(({ cpuNsPerPacket }) => cpuNsPerPacket))),
      `${list.reduce((sum, { lost }) => sum + lost, 0)}`,
    ]
  }),
)
console.log(table(['steps a packet', 'receiver', 'Mpps', 'x one capture', 'CPU ns/packet', 'lost'], rows))
console.log(
  `All trials: ${keep('pool', { subcommand: 'pool', environment: environment(), count: Number(values.count), results })}`,
)

// A receiver for pool.mjs: one capture on the main thread (--workers 0) or a fanout pool, with the same function.
import { Capture, FanoutPool } from '../dist/index.js'
import { receiverOptions, Tally } from './tally.mjs'
import work from './recv-pool-worker.mjs'

const options = receiverOptions({ workers: '2', work: '0' })
const workers = Number(options.workers)
const places = Math.max(workers, 1)
const shared = new SharedArrayBuffer(places * 24)
const counters = new BigInt64Array(shared)
const workerData = { shared, work: Number(options.work) }
// As much memory for all of them together as one has.
const capture = { blockCount: 64 / places }
let stats
if (workers === 0) {
  const source = Capture.open(options.interface, capture)
  void work(source, { index: 0, workerData })
  stats = async () => source.cumulativeStats()
} else {
  const module = new URL('./recv-pool-worker.mjs', import.meta.url)
  // All frames of the source are equal, so a hash would give all to one.
  const pool = await FanoutPool.start(options.interface, module, { workers, mode: 'loadBalance', capture, workerData })
  stats = () => pool.cumulativeStats()
}

const sum = (field) => Array.from({ length: places }, (_, at) => counters[at * 3 + field]).reduce((a, b) => a + b)
const tally = new Tally(`netring-pool-${workers}`, options, () => undefined)
tally.ready()
// Asked for now and then: the tally may end by itself, when nothing comes any more.
setInterval(async () => (tally.drops = (await stats()).drops), 100).unref()
const timer = setInterval(async () => {
  const packets = Number(sum(0))
  if (packets === 0) return
  if (tally.packets === 0) tally.firstPacket()
  tally.packets = packets
  tally.bytes = Number(sum(1))
  tally.checksum = Number(BigInt.asUintN(32, sum(2)))
  if (packets < tally.count) return
  clearInterval(timer)
  tally.drops = (await stats()).drops
  tally.finish()
}, 2)

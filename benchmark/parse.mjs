// What parsing costs: batch.parse() over the walk, packet.parse(), and etherparse alone in Rust on frames of the same
// kinds. Real frames over a veth pair in namespaces of its own; needs root, iproute2, cargo and `npm run build`.
//
//   node benchmark/parse.mjs [--packets 400000]
import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { Capture, Injector } from '../dist/index.js'
import { ethernet, ipv4, ipv6, tcp, udp } from '../testkit/headers.mjs'
import { addNetns, addVeth, deleteNetns } from '../testkit/network.mjs'

const { values } = parseArgs({ options: { packets: { type: 'string', default: '400000' } } })
const wanted = Number(values.packets)
const TRIALS = 5

/** TCP and UDP over IPv4 and IPv6, one with a tag, with payloads of 0 to 1400 bytes: as in the Rust example. */
function frames() {
  return [0, 64, 512, 1400].flatMap((length) => {
    const payload = Buffer.alloc(length, 7)
    return [
      ethernet(0x0800, ipv4(6, tcp(0x10, '0101080a0000000100000002', payload))),
      ethernet(0x0800, ipv4(17, udp(50_000, 53, payload))),
      ethernet(0x86dd, ipv6(6, tcp(0x10, '', payload))),
      ethernet(0x0800, ipv4(17, udp(50_000, 53, payload)), [0x8100, 5]),
    ]
  })
}

const nanoseconds = () => Number(process.hrtime.bigint())
const report = (name, ns) => console.log(`${name}: ${ns.toFixed(1)} ns/packet`)

function measure(injector, capture, batchOfFrames) {
  const spent = { columns: 0, parse: 0, objects: 0 }
  let packets = 0
  let objects = 0
  while (packets < wanted) {
    injector.sendBatch(batchOfFrames)
    injector.waitDrained(1000)
    let batch
    while ((batch = capture.nextBatch()) !== undefined) {
      const start = nanoseconds()
      void [batch.columns.offset, batch.columns.capturedLength, batch.columns.originalLength, batch.buffer]
      const walked = nanoseconds()
      batch.parse()
      const parsed = nanoseconds()
      spent.columns += walked - start
      spent.parse += parsed - walked
      packets += batch.length
      if (objects < wanted / 10) {
        const before = nanoseconds()
        for (const packet of batch) packet.parse()
        spent.objects += nanoseconds() - before
        objects += batch.length
      }
      batch.release()
    }
  }
  return {
    columns: spent.columns / packets,
    parse: spent.parse / packets,
    objects: spent.objects / objects,
  }
}

const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1]

const namespace = `bm-parse-${process.pid}`
const place = addNetns(namespace)
try {
  addVeth({ ...place, name: 'bm-tx' }, { ...place, name: 'bm-rx' })
  const netns = namespace
  const injector = Injector.open('bm-tx', { netns, frameCount: 4096 })
  const capture = Capture.open('bm-rx', { netns, blockSize: 1 << 21, blockCount: 32, blockTimeoutMs: 5 })
  const all = frames()
  const many = Array.from({ length: 2048 }, (_, index) => all[index % all.length])
  const trials = Array.from({ length: TRIALS }, () => measure(injector, capture, many))
  const of = (name) => median(trials.map((trial) => trial[name]))
  report('walk, three columns, buffer', of('columns'))
  report('batch.parse(), over the walk', of('parse'))
  report('packet.parse()', of('objects'))
  injector.close()
  capture.close()
} finally {
  deleteNetns(namespace)
}
execFileSync('cargo', ['run', '--quiet', '--release', '--locked', '-p', 'netring', '--example', 'parse'], {
  stdio: 'inherit',
})

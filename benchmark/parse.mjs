// What parsing costs: batch.parse() over the walk, packet.parse(), and etherparse alone in Rust on frames of the same
// kinds. Real frames over a veth pair in namespaces of its own; needs root, iproute2, cargo and `npm run build`.
//
//   node benchmark/parse.mjs [--packets 400000]
import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { Capture, Injector } from '../dist/index.js'

const { values } = parseArgs({ options: { packets: { type: 'string', default: '400000' } } })
const wanted = Number(values.packets)
const TRIALS = 5

function ip(...args) {
  execFileSync('ip', args)
}

/** TCP and UDP over IPv4 and IPv6, one with a tag, with payloads of 0 to 1400 bytes: as in the Rust example. */
function frames() {
  const link = (type, tag = '') => Buffer.from(`020000000002020000000001${tag}${type}`, 'hex')
  const u16 = (value) => Buffer.from([value >> 8, value & 0xff])
  const v4 = (protocol, payload) =>
    Buffer.concat([
      Buffer.from('4500', 'hex'),
      u16(20 + payload.length),
      Buffer.from('0000000040', 'hex'),
      Buffer.from([protocol]),
      Buffer.from('00000a0000010a000002', 'hex'),
      payload,
    ])
  const v6 = (protocol, payload) =>
    Buffer.concat([
      Buffer.from('60000000', 'hex'),
      u16(payload.length),
      Buffer.from([protocol, 64]),
      Buffer.alloc(32, 1),
      payload,
    ])
  const tcp = (payload, options = '') =>
    Buffer.concat([
      Buffer.from('c35001bb0000000100000000', 'hex'),
      Buffer.from([(5 + options.length / 8) << 4, 0x10]),
      Buffer.from(`03e800000000${options}`, 'hex'),
      payload,
    ])
  const udp = (payload) => Buffer.concat([Buffer.from('c3500035', 'hex'), u16(8 + payload.length), u16(0), payload])
  return [0, 64, 512, 1400].flatMap((length) => {
    const payload = Buffer.alloc(length, 7)
    return [
      Buffer.concat([link('0800'), v4(6, tcp(payload, '0101080a0000000100000002'))]),
      Buffer.concat([link('0800'), v4(17, udp(payload))]),
      Buffer.concat([link('86dd'), v6(6, tcp(payload))]),
      Buffer.concat([link('0800', '81000005'), v4(17, udp(payload))]),
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
ip('netns', 'add', namespace)
try {
  ip('-n', namespace, 'link', 'add', 'bm-tx', 'type', 'veth', 'peer', 'name', 'bm-rx')
  for (const name of ['bm-tx', 'bm-rx']) ip('-n', namespace, 'link', 'set', name, 'addrgenmode', 'none', 'up')
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
  ip('netns', 'del', namespace)
}
execFileSync('cargo', ['run', '--quiet', '--release', '--locked', '-p', 'netring', '--example', 'parse'], {
  stdio: 'inherit',
})

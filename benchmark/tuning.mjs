// The figures of docs/tuning.md: what the knobs of a capture and the ways of its packets cost.
//
//   node benchmark/tuning.mjs latency | blocks | snaplen | room | pause | ways | send
//
// Root, on a quiet machine, as for run.mjs. Each row of the first three is a fresh process; where there are several trials
// the medians are shown.
import { fileURLToPath } from 'node:url'
import { Capture, Injector } from '../dist/index.js'
import { Wire } from './wire.mjs'

const self = fileURLToPath(import.meta.url)
const c = (name, ...args) => [fileURLToPath(new URL(`c/bin/${name}`, import.meta.url)), ...args.map(String)]
const MIB = 1 << 20
/** One end of this process's wire. */
const inside = (end) => ({ netns: `bm-${process.pid}-${end}` })
const TRIALS = 3

// Each wire listens for the end of this process.
process.setMaxListeners(0)

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1]
const cpuNs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) * 1000
}

/** A receiver with these options at one end, what `source` sends from the other or into the same, and what it says. */
async function trial(options, end, source, { mtu = 1500, limitMs = 30_000 } = {}) {
  const wire = new Wire(mtu)
  try {
    const receiver = wire.start('rx', 'receiver', [process.execPath, self, 'receiver', JSON.stringify(options)])
    await receiver.ready()
    const sender = wire.start(end, 'sender', source)
    await sender.result(limitMs)
    return await receiver.result(limitMs)
  } finally {
    wire.close()
  }
}

async function medians(options, ...rest) {
  const trials = []
  for (let i = 0; i < TRIALS; i++) trials.push(await trial(options, ...rest))
  return Object.fromEntries(Object.keys(trials[0]).map((key) => [key, median(trials.map((t) => t[key]))]))
}

/** Reads by columns until half a second after the last packet; with `stamps` it compares each packet's time with its own clock. */
async function receiver({ stamps = false, ...options }) {
  const capture = Capture.open('bm-rx', options)
  const delays = []
  let packets = 0
  let batches = 0
  let sum = 0
  let drops = 0
  let first
  let last
  const count = (batch) => {
    const { offset, capturedLength, seconds, nanoseconds } = batch.columns
    const bytes = batch.buffer
    const length = batch.length
    if (stamps) {
      const now = performance.timeOrigin + performance.now()
      for (let i = 0; i < length; i++) delays.push(now - seconds[i] * 1000 - nanoseconds[i] / 1e6)
    }
    let total = 0
    for (let i = 0; i < length; i++) total = (total + (capturedLength[i] | 0) + (bytes[(offset[i] | 0) + 12] | 0)) | 0
    sum = (sum + total) | 0
    packets += length
  }
  const idle = setInterval(() => {
    if (last === undefined || performance.now() - last.at < 500) return
    drops = capture.cumulativeStats().drops
    capture.close()
  }, 50)
  process.stderr.write('ready\n')
  for await (const batch of capture) {
    first ??= { at: performance.now(), cpu: cpuNs() }
    batches++
    count(batch)
    last = { at: performance.now(), cpu: cpuNs() }
  }
  clearInterval(idle)
  const seconds = (last.at - first.at) / 1000
  delays.sort((a, b) => a - b)
  const at = (share) => delays[Math.floor(delays.length * share)] ?? 0
  console.log(
    JSON.stringify({
      packets,
      drops,
      sum,
      batchesPerSecond: batches / seconds,
      mpps: packets / seconds / 1e6,
      cpuNsPerPacket: (last.cpu - first.cpu) / packets,
      cpuPercent: (last.cpu - first.cpu) / seconds / 1e7,
      p50: at(0.5),
      p99: at(0.99),
    }),
  )
}

const experiments = {
  async latency() {
    for (const rate of [1000, 20_000]) {
      for (const blockTimeoutMs of [1, 5, 10, 60]) {
        const source = c('send', 'sendmmsg', '--interface', 'bm-tx', '--size', 64, '--rate', rate, '--batch', 1)
        const options = { blockSize: 256 * 1024, blockCount: 64, blockTimeoutMs, stamps: true }
        const got = await trial(options, 'tx', [...source, '--count', String(rate * 3)])
        row(`${rate} packets/s, blockTimeoutMs ${blockTimeoutMs}`, got)
      }
    }
  },
  async blocks() {
    for (const blockSize of [64 * 1024, 256 * 1024, MIB, 4 * MIB]) {
      const options = { blockSize, blockCount: (256 * MIB) / blockSize }
      const source = c('livesource', '--interface', 'bm-rx', '--size', 64, '--repeat', 5_000_000)
      row(`blockSize ${blockSize / 1024} KiB`, await medians(options, 'rx', source))
    }
  },
  async snaplen() {
    for (const extra of [{}, { snapLen: 128 }, { fillRxhash: false }]) {
      const source = c('livesource', '--interface', 'bm-rx', '--size', 1400, '--repeat', 3_000_000)
      row(JSON.stringify(extra), await medians(extra, 'rx', source))
    }
  },
  /** How many packets a ring takes that nobody reads. */
  async room() {
    await filled(async (send) => {
      for (const size of [64, 200, 1514]) {
        for (const snapLen of [262_144, 128]) {
          const capture = Capture.open('bm-rx', {
            blockSize: 4 * MIB,
            blockCount: 1,
            blockTimeoutMs: 60_000,
            snapLen,
            ...inside('rx'),
          })
          await send(size, 60_000)
          const { packets } = capture.cumulativeStats()
          capture.close()
          console.log(
            `${size} bytes, snapLen ${snapLen}: ${packets} packets in 4 MiB, ${(4 * MIB) / packets} bytes each`,
          )
        }
      }
    })
  },
  /** What a ring holds while the event loop stands still and 2000 packets come in a second. */
  async pause() {
    for (const options of [{ profile: 'lowLatency' }, { profile: 'lowLatency', blockCount: 1024 }, {}]) {
      for (const pauseMs of [50, 100, 300, 1000]) {
        const wire = new Wire(1500)
        const capture = Capture.open('bm-rx', { ...options, ...inside('rx') })
        const source = c('send', 'sendmmsg', '--interface', 'bm-tx', '--size', 64, '--rate', 2000, '--batch', 1)
        await wire.start('tx', 'sender', [...source, '--count', String(pauseMs * 2)]).result(10_000)
        const { packets, drops } = capture.cumulativeStats()
        capture.close()
        wire.close()
        console.log(`${JSON.stringify(options)}, ${pauseMs} ms: ${packets} packets, ${drops} dropped`)
      }
    }
  },
  /** Reading a full ring, with nothing else going on. */
  async ways() {
    const ways = {
      columns: (batch) => {
        const { offset } = batch.columns
        const bytes = batch.buffer
        let sum = 0
        for (let i = 0; i < batch.length; i++) sum = (sum + (bytes[(offset[i] | 0) + 12] | 0)) | 0
        return sum
      },
      'packet.length': (batch) => {
        let sum = 0
        for (const packet of batch) sum += packet.length
        return sum
      },
      'packet.data': (batch) => {
        let sum = 0
        for (const packet of batch) sum += packet.data[12]
        return sum
      },
      'packet.timestamp': (batch) => {
        let newest = 0n
        for (const packet of batch) newest = packet.timestamp
        return newest
      },
      'batch.copy()': (batch) => batch.copy().length,
      'packet.copy()': (batch) => {
        let sum = 0
        for (const packet of batch) sum += packet.copy().length
        return sum
      },
    }
    await filled(async (send) => {
      for (const [name, way] of Object.entries(ways)) {
        const costs = []
        for (let run = 0; run < 4; run++) {
          const capture = Capture.open('bm-rx', { blockSize: MIB, blockCount: 64, ...inside('rx') })
          await send(64, 300_000)
          let packets = 0
          const before = cpuNs()
          for (let batch; (batch = capture.nextBatch()) !== undefined; batch.release()) {
            packets += batch.length
            way(batch)
          }
          costs.push((cpuNs() - before) / packets)
          capture.close()
        }
        // The first is V8 making up its mind.
        console.log(
          `${name}: ${median(costs.slice(1)).toFixed(0)} ns a packet (${costs.map((ns) => ns.toFixed(0)).join(', ')})`,
        )
      }
    })
  },
  /** CPU of sending, the kernel's included; nobody listens at the far end. */
  async send() {
    const count = 200_000
    const wire = new Wire(1500)
    const frame = Buffer.alloc(64, 1)
    const many = (n) => Array.from({ length: n }, () => frame)
    const strided = (n) => [Buffer.alloc(n * 64, 1), new Uint32Array(n).fill(64), 64]
    const ways = {
      'send, a flush each': [1, (injector) => injector.send(frame)],
      'send, a flush a 64': [64, (injector) => many64.forEach((one) => injector.send(one))],
      'sendBatch of 64 Buffers': [64, (injector) => injector.sendBatch(many64)],
      'sendBatch of 64, stride': [64, (injector) => injector.sendBatch(...strided64)],
      'sendBatch of 1024 Buffers': [1024, (injector) => injector.sendBatch(many1024)],
      'sendBatch of 1024, stride': [1024, (injector) => injector.sendBatch(...strided1024)],
    }
    const [many64, many1024, strided64, strided1024] = [many(64), many(1024), strided(64), strided(1024)]
    for (const [name, [each, queue]] of Object.entries(ways)) {
      const costs = []
      for (let run = 0; run < TRIALS + 1; run++) {
        const injector = Injector.open('bm-tx', inside('tx'))
        const before = cpuNs()
        for (let sent = 0; sent < count; sent += each) {
          queue(injector)
          while (injector.flush() === 0 && injector.pendingCount >= injector.frameCount);
        }
        injector.waitDrained(5000)
        costs.push((cpuNs() - before) / count)
        injector.close()
      }
      console.log(
        `${name}: ${median(costs.slice(1)).toFixed(0)} ns a frame (${costs.map((ns) => ns.toFixed(0)).join(', ')})`,
      )
    }
    wire.close()
  },
}

/** Gives `body` a way to send frames to an end that this process captures on. */
async function filled(body) {
  const wire = new Wire(1500)
  const injector = Injector.open('bm-tx', inside('tx'))
  try {
    await body(async (size, count) => {
      const frames = Array.from({ length: 1024 }, () => Buffer.alloc(size, 1))
      for (let sent = 0; sent < count; sent += frames.length) {
        await injector.sendBatchAsync(frames)
        await injector.drained()
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
    })
  } finally {
    injector.close()
    wire.close()
  }
}

function row(name, { packets, drops, batchesPerSecond, mpps, cpuNsPerPacket, cpuPercent, p50, p99 }) {
  console.log(
    `${name}: ${packets} packets, ${drops} dropped, ${mpps.toFixed(2)} Mpps, ${cpuNsPerPacket.toFixed(1)} ns CPU a packet, ` +
      `${cpuPercent.toFixed(1)} % CPU, ${batchesPerSecond.toFixed(0)} batches/s, delay p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`,
  )
}

const [name = '', options = '{}'] = process.argv.slice(2)
if (name === 'receiver') await receiver(JSON.parse(options))
else if (name in experiments) await experiments[name]()
else throw new TypeError(`tuning.mjs ${Object.keys(experiments).join(' | ')}`)

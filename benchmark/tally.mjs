// What the receivers written in JavaScript share: their flags, when they stop, and the JSON line.
// The counterpart of c/common.h; both print the same fields and use the same definitions.
import { parseArgs } from 'node:util'

const WAIT_MS = 50

/**
 * The flags of every receiver, as strings, and those of one receiver with their defaults.
 *
 * @param {Record<string, string>} own
 */
export function receiverOptions(own = {}) {
  const defaults = { count: '0', 'idle-ms': '500', seconds: '60', ...own }
  const names = Object.entries(defaults).map(([name, value]) => [name, { type: 'string', default: value }])
  const { values } = parseArgs({ options: { interface: { type: 'string' }, ...Object.fromEntries(names) } })
  if (values.interface === undefined) throw new TypeError('--interface is missing')
  return values
}

/**
 * Counts packets, and ends the measurement after `count` packets, `idle-ms` of silence (counted from
 * the first packet on) or `seconds`. The receiver adds to the public fields itself, so that its loop
 * costs what the library under test costs and no call more:
 *
 * - `checksum`: the sum modulo 2^32 of length + byte 12 + byte 23 + byte 37 + byte 49 of each packet;
 * - `newestTimestamp`: the largest timestamp, in whatever unit is cheapest to read.
 */
export class Tally {
  packets = 0
  bytes = 0
  drops = 0
  checksum = 0
  newestTimestamp = 0

  #receiver
  #idleMs
  #seconds
  #close
  #timer
  #startedAt = 0
  #firstAt = 0
  #lastAt = 0
  #firstUsage
  #seenPackets = 0
  #silentMs = 0
  #finished = false

  /**
   * @param {string} receiver its name in the results
   * @param {ReturnType<typeof receiverOptions>} options
   * @param {() => void} close called once, when the measurement is over: set `drops`, then close
   */
  constructor(receiver, options, close) {
    this.#receiver = receiver
    this.#idleMs = Number(options['idle-ms'])
    this.#seconds = Number(options.seconds)
    this.#close = close
    this.count = Number(options.count)
  }

  /** To be called when packets can arrive: tells the runner "ready" and starts to watch the clock. */
  ready() {
    this.#startedAt = performance.now()
    this.#timer = setInterval(() => this.#watch(), WAIT_MS)
    process.stderr.write('ready\n')
  }

  /** To be called when the first packet or batch is there, before it is read. */
  firstPacket() {
    this.#firstAt = performance.now()
    this.#firstUsage = process.resourceUsage()
  }

  /** Ends the measurement now: `count` packets were read. Calling it again does nothing. */
  finish() {
    if (this.#finished) return
    this.#finished = true
    clearInterval(this.#timer)
    if (this.packets !== this.#seenPackets) this.#lastAt = performance.now()
    const usage = process.resourceUsage()
    const first = this.#firstUsage ?? usage
    this.#close()

    const userNs = (usage.userCPUTime - first.userCPUTime) * 1000
    const systemNs = (usage.systemCPUTime - first.systemCPUTime) * 1000
    const seconds = (this.#lastAt - this.#firstAt) / 1000
    const line = {
      receiver: this.#receiver,
      packets: this.packets,
      drops: this.drops,
      bytes: this.bytes,
      seconds: round(seconds, 6),
      pps: seconds > 0 ? Math.round(this.packets / seconds) : 0,
      cpuNsPerPacket: this.packets > 0 ? round((userNs + systemNs) / this.packets, 2) : 0,
      userNs,
      systemNs,
      rssKiB: usage.maxRSS,
      checksum: this.checksum >>> 0,
    }
    // Not every library lets the process end by itself once it is closed.
    process.stdout.write(`${JSON.stringify(line)}\n`, () => process.exit())
  }

  #watch() {
    const now = performance.now()
    if (this.packets !== this.#seenPackets) {
      this.#seenPackets = this.packets
      this.#lastAt = now
      this.#silentMs = 0
    } else if (this.packets !== 0) {
      this.#silentMs += WAIT_MS
    }
    if (this.#silentMs >= this.#idleMs || now - this.#startedAt >= this.#seconds * 1000) this.finish()
  }
}

function round(value, digits) {
  return Number(value.toFixed(digits))
}

/** The benchmark's work on packets, each through a Buffer of its own. */
export function addWithData(tally, packets) {
  for (const packet of packets) {
    const bytes = packet.data
    const length = bytes.length
    const timestamp = packet.seconds + packet.nanoseconds / 1e9
    tally.packets++
    tally.bytes += length
    if (timestamp > tally.newestTimestamp) tally.newestTimestamp = timestamp
    tally.checksum = (tally.checksum + length + bytes[12] + bytes[23] + bytes[37] + bytes[49]) | 0
  }
}

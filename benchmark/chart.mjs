// Draws docs/performance.svg from recorded results: `node benchmark/chart.mjs`.
import { writeFileSync } from 'node:fs'
import { recall, summarize } from './report.mjs'

const LABELS = {
  'recv-raw': 'C, TPACKET_V3',
  'recv-pcap': 'C, libpcap',
  'netring-columns': 'netring, columns',
  'netring-packets': 'netring, packets',
  'netring-data': 'netring, packets with data',
}
const SOURCES = ['receive-live-64', 'receive-live-1400']
const WIDTH = 760
const BAR = 16
const LEFT = 190
const RIGHT = 70

const results = SOURCES.flatMap((name) => recall(name).results)
const charts = [64, 1400].map((size) => ({ size, bars: bars(size) }))
writeFileSync(new URL('../docs/performance.svg', import.meta.url), draw(charts))

function bars(size) {
  return Object.entries(LABELS).flatMap(([contender, label]) => {
    const own = results.filter((result) => result.size === size && result.contender === contender)
    if (own.length === 0) return []
    return [
      { label, ours: contender.startsWith('netring'), ...summarize(own.map(({ cpuNsPerPacket }) => cpuNsPerPacket)) },
    ]
  })
}

function draw(charts) {
  const rows = []
  let y = 24
  for (const { size, bars } of charts) {
    const most = Math.max(...bars.map(({ max }) => max))
    const x = (ns) => LEFT + (ns / most) * (WIDTH - LEFT - RIGHT)
    rows.push(
      `<text x="8" y="${y}" font-weight="bold">${size} bytes: CPU nanoseconds a packet (median; line: all trials)</text>`,
    )
    y += 12
    for (const { label, ours, median, min, max } of bars) {
      const middle = y + BAR / 2
      rows.push(
        `<text x="${LEFT - 8}" y="${middle + 4}" text-anchor="end">${label}</text>`,
        `<rect x="${LEFT}" y="${y}" width="${(x(median) - LEFT).toFixed(1)}" height="${BAR}" fill="${ours ? '#2b7a4b' : '#8a8f98'}"/>`,
        `<path d="M${x(min).toFixed(1)} ${middle}H${x(max).toFixed(1)}" stroke="#d08700" stroke-width="2"/>`,
        `<text x="${(x(max) + 6).toFixed(1)}" y="${middle + 4}">${median.toFixed(1)}</text>`,
      )
      y += BAR + 6
    }
    y += 26
  }
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y - 20}" font-family="sans-serif" font-size="12">`
  return `${head}\n<rect width="100%" height="100%" fill="#fff"/>\n${rows.join('\n')}\n</svg>\n`
}

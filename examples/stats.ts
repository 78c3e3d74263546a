/**
 * Statistics: a table of what an interface receives and sends, a line a second.
 *
 *     npm run example stats -- INTERFACE [--interval N] [--seconds N]
 *
 * `--interval` is in milliseconds. stats() counts since its last call, cumulativeStats() since open; neither disturbs the
 * other. Dropped is what found no room in the ring: the kernel counts it, so nothing is lost in silence.
 */
import { Capture } from 'netring'
import { cli } from './lib/cli.ts'

const {
  names: [name],
  options: { interval },
  signal,
} = cli(['INTERFACE'], { interval: 1000 })

using capture = Capture.open(name, { promiscuous: true })
let bytes = 0
let printed = { time: performance.now(), bytes }

const cell = (value: number | string): string => String(value).padStart(12)

function row(): void {
  const now = performance.now()
  const seconds = (now - printed.time) / 1000
  const { packets, drops } = capture.stats()
  const rates = [packets / seconds, ((bytes - printed.bytes) * 8) / seconds / 1e6]
  console.log(
    [packets, drops, rates[0]!.toFixed(0), rates[1]!.toFixed(1), capture.cumulativeStats().packets].map(cell).join(''),
  )
  printed = { time: now, bytes }
}

console.log(['packets', 'dropped', 'packets/s', 'Mbit/s', 'in all'].map(cell).join(''))
const timer = setInterval(row, interval)
signal.addEventListener('abort', () => {
  clearInterval(timer)
  row()
  const { packets, drops, freezeCount } = capture.cumulativeStats()
  console.log(`${packets} packets, ${bytes} bytes, ${drops} dropped, the ring was full ${freezeCount} times`)
  capture.close() // ends the loop below
})

for await (const { columns, length } of capture) {
  const { originalLength } = columns
  for (let i = 0; i < length; i++) bytes += originalLength[i]!
}

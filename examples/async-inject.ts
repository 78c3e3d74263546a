/**
 * Sending with backpressure: so many frames a second, and no more than the interface takes.
 *
 *     npm run example async-inject -- INTERFACE [--to TO] [--rate N] [--count N] [--seconds N]
 *
 * sendBatchAsync() resolves once the last frame has found a slot: a slow link slows the loop down, and no frame is lost on
 * the way. `--to` is a MAC address.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Injector, interfaceInfo } from 'netring'
import { cli } from './lib/cli.ts'
import { numberedFrame } from './lib/frame.ts'

const {
  names: [name],
  options: { to, rate, count },
  signal,
} = cli(['INTERFACE'], { to: 'ff:ff:ff:ff:ff:ff', rate: 1000, count: Infinity })

using injector = Injector.open(name)
injector.on('rejected', (reason) => {
  console.warn(reason.message)
})
const { macAddress } = interfaceInfo(name)
const start = performance.now()
let queued = 0

try {
  while (queued < count) {
    await sleep(10, undefined, { signal })
    const due = Math.min(count, ((performance.now() - start) / 1000) * rate)
    const frames: Buffer[] = []
    while (queued < due) frames.push(numberedFrame(macAddress, to, queued++))
    await injector.sendBatchAsync(frames, { signal })
    injector.flush()
  }
  await injector.drained({ signal })
} catch (error) {
  if (!signal.aborted) throw error
}

const { sent, rejected, pending } = injector.txStats()
const seconds = (performance.now() - start) / 1000
console.log(`${sent} frames sent in ${seconds.toFixed(2)} s, ${rejected} rejected, ${pending} not yet gone`)

/**
 * Web streams: batches through a TransformStream into a WritableStream.
 *
 *     npm run example async-stream -- INTERFACE [--count N] [--seconds N]
 *
 * Prints a line for each second of traffic, `--count` lines in all. No batch is fetched before the stream asks for it; the
 * transform gives it back to the kernel.
 */
import { TransformStream, WritableStream } from 'node:stream/web'
import { Capture, type Batch } from 'netring'
import { cli } from './lib/cli.ts'

const {
  names: [name],
  options: { count },
  signal,
} = cli(['INTERFACE'], { count: Infinity })

/** What a second of traffic was. */
interface Second {
  readonly time: number
  packets: number
  bytes: number
}

/** Adds packets up by the seconds of their timestamps. */
function bySecond(): TransformStream<Batch, Second> {
  let current: Second = { time: 0, packets: 0, bytes: 0 }
  return new TransformStream({
    transform(chunk, controller) {
      using batch = chunk
      const { seconds, originalLength } = batch.columns
      for (let i = 0; i < batch.length; i++) {
        if (current.time !== seconds[i]) {
          if (current.packets > 0) controller.enqueue(current)
          current = { time: seconds[i]!, packets: 0, bytes: 0 }
        }
        current.packets++
        current.bytes += originalLength[i]!
      }
    },
  })
}

using capture = Capture.open(name, { promiscuous: true })
const enough = new AbortController()
let lines = 0
const printer = new WritableStream<Second>({
  write({ time, packets, bytes }) {
    console.log(`${new Date(time * 1000).toISOString()}: ${packets} packets, ${bytes} bytes`)
    if (++lines >= count) enough.abort()
  },
})

const end = AbortSignal.any([signal, enough.signal])
try {
  await capture.readableStream().pipeThrough(bySecond()).pipeTo(printer, { signal: end })
} catch (error) {
  if (!end.aborted) throw error
}
const { packets, drops } = capture.cumulativeStats()
console.log(`${packets} packets received, ${drops} dropped`)

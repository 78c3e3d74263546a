/** A worker of threads.mjs, by what it is told to do. */
import { parentPort, workerData } from 'node:worker_threads'
import { numberOf } from '../frames.mjs'
import { openCapture, openInjector } from './place.mjs'

/** What this thread holds when it is ended is the matter. */
const after = () => undefined
const capture = openCapture(after)

const tasks = {
  open() {
    openInjector(after).close()
    capture.close()
    parentPort.postMessage('opened')
  },
  async hold() {
    parentPort.postMessage('waits')
    await capture.readable()
    const batch = capture.nextBatch()
    globalThis.held = [batch, batch.buffer, batch.at(0).data, batch.columns.offset, batch.parse().etherType]
    parentPort.postMessage(numberOf(batch.at(0).data))
    await capture.readable()
    setInterval(() => globalThis.held, 1000)
  },
  async move() {
    parentPort.postMessage('waits')
    await capture.readable()
    globalThis.held = capture.nextBatch()
    const moved = globalThis.held.buffer.buffer.transfer()
    parentPort.postMessage(moved, [moved])
    setInterval(() => globalThis.held, 1000)
  },
}

await tasks[workerData]()

/** Posts at once what it was given, some numbers, and bytes that it moves; ends by itself. */
import { isMainThread } from 'node:worker_threads'
import type { FanoutContext, PacketSource } from '../../../src/index.js'

export default function (source: PacketSource, context: FanoutContext): void {
  const { index, workers, workerData } = context
  context.post({ index, workers, workerData, isMainThread, closed: source.closed })
  for (let number = 0; number < 1000; number++) context.post(number)
  const { buffer } = new Uint8Array([1, 2, 3])
  context.post(buffer, [buffer])
  context.post(buffer.byteLength)
  try {
    context.post(() => undefined)
  } catch (error) {
    context.post((error as Error).name)
  }
}

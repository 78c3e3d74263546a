/** Uses the thread's own port, which the pool leaves alone. */
import { once } from 'node:events'
import { parentPort } from 'node:worker_threads'
import type { FanoutContext, PacketSource } from '../../../src/index.js'

export default async function (_source: PacketSource, { signal }: FanoutContext): Promise<void> {
  parentPort?.on('message', (message) => parentPort?.postMessage(['echo', message]))
  if (!signal.aborted) await once(signal, 'abort')
  parentPort?.close()
}

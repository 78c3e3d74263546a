/** Reads nothing until it is stopped. */
import { once } from 'node:events'
import type { FanoutContext, PacketSource } from '../../../src/index.js'

export default async function (_source: PacketSource, { signal }: FanoutContext): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}

/** Replaces its filter when it is stopped, and counts what comes from then on. */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Capture, type FanoutContext, type PacketSource } from '../../../src/index.js'

export default async function (source: PacketSource, context: FanoutContext): Promise<void> {
  if (!(source instanceof Capture)) throw new TypeError('a capture was expected')
  await once(context.signal, 'abort')
  // Everything passes.
  source.setFilter([{ code: 6, jt: 0, jf: 0, k: 0x40000 }])
  const before = source.cumulativeStats().packets
  context.post('replaced')
  await sleep(300)
  context.post(source.cumulativeStats().packets - before)
}

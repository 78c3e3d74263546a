/** Replaces its filter when it is stopped, and counts what comes from then on. */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Capture, FanoutContext, PacketSource } from '../../../src/index.js'

export default async function (source: PacketSource, { signal, post }: FanoutContext): Promise<void> {
  const capture = source as Capture
  await once(signal, 'abort')
  // Everything passes.
  capture.setFilter([{ code: 6, jt: 0, jf: 0, k: 0x40000 }])
  const before = capture.cumulativeStats().packets
  post('replaced')
  await sleep(300)
  post(capture.cumulativeStats().packets - before)
}

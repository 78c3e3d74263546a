/** Reads on after it was stopped, which it knows of, until its source is closed. */
import type { FanoutContext, PacketSource } from '../../../src/index.js'
import { numberOf } from '../../../testkit/frames.mjs'

export default async function (source: PacketSource, context: FanoutContext): Promise<void> {
  const { signal } = context
  for await (const batch of source) context.post(Array.from(batch, ({ data }) => numberOf(data)))
  context.post(signal.aborted ? 'stopped' : 'closed')
}

/** Waits in one blocking call until it is stopped, which it asks for between two of them. */
import type { FanoutContext, PacketSource } from '../../../src/index.js'
import { numberOf } from '../../../testkit/frames.mjs'

export default function (source: PacketSource, context: FanoutContext): void {
  const { signal } = context
  while (!signal.aborted) {
    using batch = source.nextBatchBlocking(Infinity)
    if (batch !== undefined) context.post(Array.from(batch, ({ data }) => numberOf(data)))
  }
  context.post('over')
}

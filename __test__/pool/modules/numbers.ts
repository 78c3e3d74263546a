/** Posts the numbers of frame() that come, a message a batch, and when it is stopped those that are left. */
import type { FanoutContext, PacketSource } from '../../../src/index.js'
import { numberOf } from '../../../testkit/frames.mjs'

export default async function (source: PacketSource, context: FanoutContext): Promise<void> {
  const note = (data: Iterable<{ readonly data: Buffer }>): void => {
    context.post(Array.from(data, (packet) => numberOf(packet.data)))
  }
  const { signal } = context
  try {
    for (;;) note(await source.recv({ signal }))
  } catch (error) {
    if (error !== signal.reason) throw error
  }
  for (let batch = source.nextBatch(); batch !== undefined; batch = source.nextBatch()) {
    note(batch)
    batch.release()
  }
}

/** Never comes back to the event loop: a loop that blocks the thread. */
import type { FanoutContext, PacketSource } from '../../../src/index.js'
import { numberOf } from '../../../testkit/frames.mjs'

export default function (source: PacketSource, context: FanoutContext): void {
  for (const packet of source.packets()) context.post([numberOf(packet.data)])
}

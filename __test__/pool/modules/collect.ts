/** Posts what comes, a message a batch: the bytes of each packet in hexadecimal. */
import type { FanoutContext, PacketSource } from '../../../src/index.js'

export default async function (source: PacketSource, context: FanoutContext): Promise<void> {
  for await (const batch of source) context.post(Array.from(batch, ({ data }) => data.toString('hex')))
}

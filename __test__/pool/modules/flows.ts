/** Posts the ports of UDP flows that come, the lower one that is not 53, a message a batch. */
import type { FanoutContext, PacketSource } from '../../../src/index.js'

export default async function (source: PacketSource, context: FanoutContext): Promise<void> {
  for await (const batch of source) {
    const ports = Array.from(batch, ({ data }) => Math.max(data.readUInt16BE(34), data.readUInt16BE(36)))
    context.post([...new Set(ports)])
  }
}

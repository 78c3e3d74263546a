/** Posts which queues its socket has. */
import type { FanoutContext, XdpSocket } from '../../../src/index.js'

export default async function (source: XdpSocket, context: FanoutContext): Promise<void> {
  context.post(source.queues)
  for await (const batch of source) batch.release()
}

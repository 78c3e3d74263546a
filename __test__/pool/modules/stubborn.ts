/** Takes no notice of being stopped. */
import type { FanoutContext, PacketSource } from '../../../src/index.js'

export default async function (_source: PacketSource, { workerData }: FanoutContext): Promise<void> {
  if (workerData === 'spins') for (;;);
  setInterval(() => undefined, 1000)
  await new Promise(() => undefined)
}

/**
 * A bridge: two interfaces as if they were one wire.
 *
 *     npm run example async-bridge -- INTERFACE OTHER_INTERFACE [--drop N] [--seconds N]
 *
 * A native thread forwards at full speed. With `--drop`, an ethertype such as 0x86dd, JavaScript decides on every packet, and
 * drops those. Prints what has become of the packets of each direction. The interfaces should have no addresses.
 */
import { Bridge, type BridgeOptions } from 'netring'
import { cli } from './lib/cli.ts'

const {
  names: [name, otherName],
  options: { drop },
  signal,
} = cli(['INTERFACE', 'OTHER_INTERFACE'], { drop: NaN })

const hook: BridgeOptions = { onPacket: ({ protocol }) => (protocol === drop ? 'drop' : 'forward') }

using bridge = Bridge.open(name, otherName, Number.isNaN(drop) ? {} : hook)
bridge.on('rejected', (reason, direction) => {
  console.warn(`${direction}: ${reason.message}`)
})
console.log(`${name} and ${otherName} are bridged`)
try {
  await bridge.run({ signal })
} catch (error) {
  if (!signal.aborted) throw error
}
for (const [direction, counts] of Object.entries(bridge.stats())) {
  const { received, forwarded, dropped, rejected, tooLarge, ringFull, kernelDrops } = counts
  const lost = `${dropped} dropped, ${rejected} rejected, ${tooLarge} too large, ${ringFull + kernelDrops} without room`
  console.log(`${direction}: ${received} received, ${forwarded} forwarded, ${lost}`)
}

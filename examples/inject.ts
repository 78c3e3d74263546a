/**
 * Sending: frames that are written into slots of the injector's memory, and how many of them left.
 *
 *     npm run example inject -- INTERFACE [--to TO] [--count N] [--seconds N]
 *
 * The frames are numbered, of an ethertype that nothing answers to; `--to` is a MAC address. flush() hands over what is
 * queued; drained() flushes and waits until the last frame has left.
 */
import { Injector, interfaceInfo } from 'netring'
import { cli } from './lib/cli.ts'
import { numberedFrame } from './lib/frame.ts'

const {
  names: [name],
  options: { to, count },
  signal,
} = cli(['INTERFACE'], { to: 'ff:ff:ff:ff:ff:ff', count: 10 })

using injector = Injector.open(name)
injector.on('rejected', (reason) => {
  console.warn(reason.message)
})
const template = numberedFrame(interfaceInfo(name).macAddress, to, 0)
let queued = 0

try {
  while (queued < count) {
    const slot = injector.allocate(template.length)
    if (slot === undefined) {
      await injector.drained({ signal }) // every slot is taken
      continue
    }
    template.copy(slot.data)
    slot.data.writeUInt32BE(queued++, 14)
    slot.send()
  }
  await injector.drained({ signal })
} catch (error) {
  if (!signal.aborted) throw error
}

const { sent, rejected, pending, bytes } = injector.txStats()
console.log(`${sent} frames sent, ${bytes} bytes, ${rejected} rejected, ${pending} not yet gone`)

/** The sending host's process: sends what it is told to, each time through an injector of its own. */
import { Injector } from '../../dist/index.js'
import { sendAll } from '../../testkit/traffic.mjs'
import { framesFrom } from './order.mjs'

/** Below what a CPU's backlog and a veth's ring hold: more at once, and the kernel drops some unseen and uncounted. */
const AT_ONCE = 128

process.on('message', async ({ count }) => {
  const injector = Injector.open('far', { frameCount: AT_ONCE })
  for (let number = 0; number < count; number += AT_ONCE) {
    await sendAll(injector, framesFrom(number, Math.min(AT_ONCE, count - number)))
  }
  const { sent } = injector.txStats()
  injector.close()
  process.send({ sent })
})

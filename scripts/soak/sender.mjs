/** The sending host's process: sends what it is told to, each time through an injector of its own. */
import { Injector } from '../../dist/index.js'
import { frame } from './frames.mjs'

/** Below what a CPU's backlog and a veth's ring hold: more at once, and the kernel drops some unseen and uncounted. */
const AT_ONCE = 128

process.on('message', async ({ count }) => {
  const injector = Injector.open('far', { frameCount: AT_ONCE })
  for (let number = 0; number < count; number += AT_ONCE) {
    const length = Math.min(AT_ONCE, count - number)
    await injector.sendBatchAsync(Array.from({ length }, (_, index) => frame(number + index)))
    await injector.drained()
  }
  const { sent } = injector.txStats()
  injector.close()
  process.send({ sent })
})

/** The helper that tells a wait that sleeps from one that spins. */
import test from 'ava'
import { setTimeout as sleep } from 'node:timers/promises'
import { comesToRest } from './helpers/quiet.js'

/** Takes the CPU for so long: by the CPU's own clock, as another process may have it meanwhile. */
function spin(ms: number): void {
  const before = process.cpuUsage()
  for (;;) {
    const { user, system } = process.cpuUsage(before)
    if ((user + system) / 1000 >= ms) return
  }
}

test.serial('a sleep comes to rest', async (t) => {
  await comesToRest(t)
})

let windows = 0
const waits: Record<string, () => Promise<void>> = {
  'spins in bursts': async () => {
    if (++windows % 3 !== 0) {
      await sleep(20)
      return
    }
    const began = performance.now()
    spin(20)
    // However long the CPU was away: half of the time that has gone by.
    spin((performance.now() - began - 20) / 2)
  },
  'takes a quarter of a CPU for ever': async () => {
    const began = performance.now()
    spin(10)
    // However long the CPU was away: a quarter of the time that has gone by.
    await sleep(20)
    spin((performance.now() - began - 10) / 3)
  },
}
for (const [name, wait] of Object.entries(waits)) {
  test.serial(`a wait that ${name} does not`, async (t) => {
    const attempt = await t.try((inner) => comesToRest(inner, wait))
    attempt.discard()
    t.false(attempt.passed)
  })
}

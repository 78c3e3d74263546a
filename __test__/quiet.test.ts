/** The helper that tells a wait that sleeps from one that spins. */
import test from 'ava'
import { comesToRest } from './helpers/quiet.js'

test.serial('a sleep comes to rest', async (t) => {
  await comesToRest(t)
})

/** By the share of a CPU that its n-th window takes: on a machine that is busy enough a real spin gets no more than a sleep. */
const spins: Record<string, (n: number) => number> = {
  'spins in bursts': (n) => (n % 3 === 0 ? 1 : 0),
  'takes a quarter of a CPU for ever': () => 0.25,
}
for (const [name, share] of Object.entries(spins)) {
  test(`a wait that ${name} does not`, async (t) => {
    let windows = 0
    const attempt = await t.try((inner) => comesToRest(inner, undefined, () => Promise.resolve(share(++windows))))
    attempt.discard()
    t.false(attempt.passed)
  })
}

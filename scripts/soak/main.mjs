/** The soak itself, in the namespace that scripts/soak.mjs opens: rounds of all scenarios, and what is held after each. */
import { XdpSocket } from '../../dist/index.js'
import { say } from '../run.mjs'
import { Tally } from '../test/tally.mjs'
import { census, compare } from './census.mjs'
import { makeNetwork, near, removeNetwork, Traffic } from './network.mjs'
import { capture, channel, closing, xdp } from './receiving.mjs'
import { bridge, injector } from './sending.mjs'

const COUNT = 20_000
/** Rounds that fill pools and caches, and in which each scenario has come by all its kinds. */
const WARM = 6

const deadline = performance.now() + Number(process.argv[2]) * 60_000
const total = new Tally()
const scenarios = { capture, channel, injector, bridge, closing }

makeNetwork()
const xdpWorks = canLoadPrograms()
if (xdpWorks) scenarios.xdp = xdp

const traffic = new Traffic()
let before
let round = 0
for (; total.failed.length === 0 && (round <= WARM || performance.now() < deadline); round++) {
  if (round === WARM) before = await census()
  const accounts = await run(round)
  if (total.failed.length === 0) await account(round, accounts)
}
await traffic.end()
removeNetwork()

say(`${round} rounds of ${Object.keys(scenarios).join(', ')}`)
console.log(total.report())
process.exitCode = total.failed.length === 0 ? 0 : 1

async function run(round) {
  const sums = { sent: 0, seen: 0, dropped: 0 }
  for (const [name, scenario] of Object.entries(scenarios)) {
    try {
      const counts = await scenario({ near, traffic, count: COUNT, round, xdpWorks })
      for (const key of Object.keys(sums)) sums[key] += counts[key]
      total.step(name, true)
    } catch (error) {
      total.step(`${name}, round ${round}: ${error.stack}`, false)
    }
  }
  return sums
}

async function account(round, { sent, seen, dropped }) {
  const name = `what is held after round ${round}`
  try {
    const held = before === undefined ? await census() : await compare(before)
    const { descriptors, mappings, bytes } = held
    const holds = `${descriptors} descriptors, ${mappings} mappings, ${bytes >> 20} MiB`
    say(`round ${round}: ${sent} sent = ${seen} seen + ${dropped} dropped; ${holds}`)
    total.step(name, true)
  } catch (error) {
    total.step(`${name}: ${error.message}`, false)
  }
}

function canLoadPrograms() {
  try {
    XdpSocket.open(near.source, { frameCount: 64 }).close()
    return true
  } catch (error) {
    total.skipped.push(`xdp: ${error.message}`)
    return false
  }
}

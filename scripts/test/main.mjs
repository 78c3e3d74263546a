/** The tests themselves. Runs inside the namespace that scripts/test.mjs opens: there is no way to the outside here. */
import { suite } from './suite.mjs'
import { CargoTally, StepTally, Tally, TapTally } from './tally.mjs'

const options = { timeoutMs: 10 * 60_000, env: { CARGO_NET_OFFLINE: 'true' } }
const args = process.argv.slice(2)
const total = new Tally()

if (args.length === 0) {
  const rust = ['cargo', 'test', '--workspace', '--locked', '--no-fail-fast']
  await suite(total, new CargoTally(), 'Rust tests', rust, options)
  await suite(total, new StepTally(), 'type tests', ['node_modules/.bin/tsc', '-p', 'tsconfig.json'], options)
}
await suite(total, new TapTally(), 'TypeScript tests', ['node_modules/.bin/ava', '--tap', ...args], options)

console.log(total.report())
process.exitCode = total.failed.length === 0 ? 0 : 1

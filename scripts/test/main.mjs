/** The tests themselves. Runs inside the namespace that scripts/test.mjs opens: there is no way to the outside here. */
import { namesIn, program } from '../runtimes.mjs'
import { suite } from './suite.mjs'
import { CargoTally, StepTally, Tally, TapTally } from './tally.mjs'

const options = { timeoutMs: 10 * 60_000, env: { CARGO_NET_OFFLINE: 'true' } }
const args = process.argv.slice(2)
const total = new Tally()

if (args.length === 0) {
  const rust = ['cargo', 'test', '--workspace', '--locked', '--no-fail-fast']
  await suite(total, new CargoTally(), 'Rust tests', rust, options)
  await suite(total, new StepTally(), 'type tests', ['node_modules/.bin/tsc', '-p', 'tsconfig.json'], options)
  // A warning is an error: every public name has a comment, and every link in one leads somewhere.
  await suite(total, new StepTally(), 'API reference', ['node_modules/.bin/typedoc', '--emit', 'none'], options)
}
await suite(total, new TapTally(), 'TypeScript tests', ['node_modules/.bin/ava', '--tap', ...args], options)

if (args.length === 0) {
  // Where a machine decides, what has not been run has not been tested.
  const untested = process.env.CI ? total.failed : total.skipped
  for (const name of namesIn('nodes')) {
    const node = program('nodes', name)
    if (node === undefined) {
      untested.push(`lifetime tests on ${name}: its npm package could not be installed`)
      continue
    }
    const command = [node, 'node_modules/ava/entrypoints/cli.mjs', '--tap', '__test__/lifetime/*.test.ts']
    await suite(total, new TapTally(), `lifetime tests on ${name}`, command, options)
  }
}

// As root on a whole machine nothing has to be left out, and nobody reads the list of a run that is green.
if (process.env.NETRING_NO_SKIPS) total.failed.push(...total.skipped.splice(0).map((name) => `skipped: ${name}`))

console.log(total.report())
process.exitCode = total.failed.length === 0 ? 0 : 1

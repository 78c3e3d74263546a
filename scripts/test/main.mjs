/** The tests themselves. Runs inside the namespace that scripts/test.mjs opens: there is no way to the outside here. */
import { nodeProgram, otherVersions } from './nodes.mjs'
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
  for (const version of otherVersions) {
    const program = nodeProgram(version)
    if (program === undefined) {
      total.skipped.push(`lifetime tests on Node ${version}: its npm package could not be installed`)
      continue
    }
    const command = [program, 'node_modules/ava/entrypoints/cli.mjs', '--tap', '__test__/lifetime/*.test.ts']
    await suite(total, new TapTally(), `lifetime tests on Node ${version}`, command, options)
  }
}

console.log(total.report())
process.exitCode = total.failed.length === 0 ? 0 : 1

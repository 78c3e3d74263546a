/**
 * `npm run fuzz -- --seconds 60`: every target of every crate's fuzz folder, one after the other, each for so long, from its seeds and
 * what earlier runs found. `--target NAME`: that one only. What finds something ends with the input and a failure.
 */
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { read, root, stop, which } from './run.mjs'
import { ensureBuildTools } from './setup.mjs'
import { suite } from './test/suite.mjs'
import { StepTally, Tally } from './test/tally.mjs'

/** Each target's folder, by its name. */
const folders = new Map(
  readdirSync(join(root, 'crates'))
    .map((crate) => join(root, 'crates', crate, 'fuzz'))
    .filter((folder) => existsSync(join(folder, 'fuzz_targets')))
    .flatMap((folder) => readdirSync(join(folder, 'fuzz_targets')).map((file) => [file.replace(/\.rs$/, ''), folder])),
)
const names = [...folders.keys()].sort()
const { seconds, targets } = options()

ensureBuildTools()
if (!which('cargo-fuzz')) stop('cargo-fuzz is missing. Run:\n  cargo install cargo-fuzz --version ^0.13 --locked')
if (!which('c++')) stop('a C++ compiler is missing. Run:\n  apt-get install -y --no-install-recommends g++')

// AddressSanitizer is an option of nightly compilers; a stable one takes it when told that it is one.
const nightly = read('cargo', '+nightly', '--version') !== undefined
const cargo = nightly ? ['cargo', '+nightly'] : ['cargo']
const env = { ...(!nightly && { RUSTC_BOOTSTRAP: '1' }), CARGO_TERM_COLOR: 'never' }

const total = new Tally()
for (const target of targets) {
  const folder = folders.get(target)
  const [corpus, seeds] = ['corpus', 'seeds'].map((kind) => join(folder, kind, target))
  mkdirSync(corpus, { recursive: true })
  const inputs = [corpus, ...(existsSync(seeds) ? [seeds] : [])]
  const bounds = ['--', `-max_total_time=${seconds}`, '-timeout=10', '-print_final_stats=1']
  const fuzz = [...cargo, 'fuzz', 'run', '--fuzz-dir', folder, target, ...inputs, ...bounds]
  // The first target is compiled with all it depends on.
  const timeoutMs = (seconds + 20 * 60) * 1000
  await suite(total, new StepTally(), `fuzzing ${target} for ${seconds} s`, fuzz, { timeoutMs, env })
}

console.log(total.report())
process.exitCode = total.failed.length === 0 ? 0 : 1

function options() {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, target: { type: 'string' } } })
  const seconds = Number(values.seconds)
  if (!Number.isInteger(seconds) || seconds < 1) stop(`--seconds takes a whole number from 1, not ${values.seconds}`)
  if (values.target === undefined) return { seconds, targets: names }
  if (!names.includes(values.target)) stop(`there is no fuzz target "${values.target}"; there are: ${names.join(', ')}`)
  return { seconds, targets: [values.target] }
}

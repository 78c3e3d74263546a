/**
 * `npm run check:supply`: what netring is made of, against deny.toml and Cargo.lock, and the workflows that build it. Installs
 * cargo-deny and zizmor, in node_modules.
 * What cannot be checked here is skipped by name. `-- --need-advisories`: that the known vulnerabilities cannot be fetched is
 * a failure, for where they can. There, and in CI, so is that a tool cannot be installed.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { npm, root, runLines, say } from './run.mjs'
import { runAsCaller } from './setup/caller.mjs'
import { ensureZizmor } from './zizmor.mjs'
import { suite } from './test/suite.mjs'
import { StepTally, Tally } from './test/tally.mjs'

const version = '0.20.2'
const folder = join(root, 'node_modules', '.cache', `cargo-deny-${version}`)
const deny = join(folder, 'bin', 'cargo-deny')
const config = ['--config', join(root, 'deny.toml'), '--locked']
/** Fuzzing is a workspace of its own. It is part of no package: its licences bind nobody who installs netring. */
const fuzz = ['--manifest-path', join(root, 'crates/netring/fuzz/Cargo.toml')]
const needAdvisories = process.argv.includes('--need-advisories')

const total = new Tally()
const unchecked = needAdvisories || process.env.CI ? total.failed : total.skipped
const step = (name, command) => suite(total, new StepTally(), name, command)

await step('what is linked into the addon', npm('run', '--silent', 'notice', '--', '--check'))
if (hasCargoDeny()) {
  await step('licences, bans, sources', [deny, ...config, 'check', 'licenses', 'bans', 'sources'])
  const unused = ['--allow', 'unnecessary-skip', '--allow', 'unmatched-skip']
  await step('bans, sources of fuzzing', [deny, ...config, ...fuzz, 'check', ...unused, 'bans', 'sources'])
  await advisories()
} else {
  unchecked.push(`licences, bans, sources, advisories: cargo-deny ${version} could not be installed`)
}
const zizmor = ensureZizmor()
// Without a way to the outside: what is asked of GitHub would need a token.
if (zizmor) await step('workflows', [zizmor, '--offline', '--no-progress', '--persona', 'pedantic', '.github'])
else unchecked.push('workflows: zizmor could not be installed')

console.log(total.report())
process.exitCode = total.failed.length === 0 ? 0 : 1

/** Without optimizing it is compiled in a third of the time, and runs as long. */
function hasCargoDeny() {
  if (existsSync(deny)) return true
  say(`installing cargo-deny ${version}, a minute or two`)
  const quick = ['--debug', '--config', 'profile.dev.debug=0']
  runAsCaller([
    'cargo',
    'install',
    'cargo-deny',
    '--version',
    version,
    '--locked',
    '--quiet',
    ...quick,
    '--root',
    folder,
  ])
  return existsSync(deny)
}

async function advisories() {
  const name = 'known vulnerabilities'
  const said = []
  const options = { timeoutMs: 120_000, env: { GIT_TERMINAL_PROMPT: '0' } }
  const fetched = await runLines([deny, ...config, 'fetch', 'db'], (line) => said.push(line), options)
  if (fetched === 0) return step(name, [deny, ...config, 'check', '--disable-fetch', 'advisories'])
  const why = said.filter((line) => line !== '').at(-1) ?? `ended with ${fetched}`
  const skipped = `${name}: their database could not be fetched (${why})`
  if (needAdvisories) total.failed.push(skipped)
  else total.skipped.push(skipped)
}

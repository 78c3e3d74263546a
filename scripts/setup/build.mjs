/** What is built and installed in the clone itself, where that is older than what it is made of. */
import { readdirSync, readFileSync, statSync, utimesSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { npm, root, say, stop } from '../run.mjs'
import { runAsCaller } from './caller.mjs'

/** Folders of crates/ that the native part is not made of. */
const notBuilt = new Set(['target', 'tests', 'benches', 'examples', 'fuzz'])

/** libbpf is built by make, which takes a blank or a quote in a path for something else. */
export function checkFolders() {
  const cargo = process.env.CARGO_HOME ?? join(process.env.HOME ?? homedir(), '.cargo')
  for (const [what, path, mend] of [
    ['the clone lies in', root, 'Move it to one without, such as ~/netring'],
    ['cargo keeps what it fetches in', cargo, 'Set CARGO_HOME to one without'],
  ]) {
    const [wrong] = /[^\p{L}\p{N}/._@+-]/u.exec(path) ?? []
    if (wrong) stop(`${what} ${path}: libbpf cannot be built at a path with ${JSON.stringify(wrong)} in it. ${mend}`)
  }
}

/** Installs the npm packages that the lock file names. */
export function installNpmPackages() {
  if (npmPackagesMatch()) return
  say('installing the npm packages that package-lock.json names (npm ci)')
  // None of them has an install script to run; the level hides warnings about Node versions that work.
  const ci = npm('ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error')
  if (!runAsCaller(ci)) stop('npm ci failed: see above')
}

/** Compares versions, not times: npm writes the lock file and node_modules in no fixed order. */
function npmPackagesMatch() {
  const installed = readLock('node_modules/.package-lock.json')
  return Object.entries(readLock('package-lock.json')).every(
    ([path, wanted]) => path === '' || wanted.optional || installed[path]?.version === wanted.version,
  )
}

function readLock(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages
  } catch {
    return {}
  }
}

const manifests = ['package.json', 'package-lock.json', 'Cargo.toml', 'Cargo.lock']

/** Builds the binary of a platform package, as a release has it, unless it is newer than its sources. */
export function buildPlatformPackage(name) {
  buildWhenOlder('prebuild', `the binary of npm/${name}, some minutes the first time`, {
    outputs: [`npm/${name}/netring.${name}.node`],
    sources: [...manifests, 'crates', 'scripts/prebuild', 'scripts/prebuild.mjs'],
    args: ['--', name],
  })
}

/** Builds what everything here runs on. */
export function build() {
  const binding = readdirSync(root).filter((name) => name.endsWith(`.linux-${process.arch}-gnu.node`))
  buildWhenOlder('build:native', 'the Rust part, a minute or two the first time', {
    outputs: ['index.d.ts', binding[0] ?? 'netring.node'],
    sources: [...manifests, 'crates'],
  })
  buildTypeScript()
}

/** Builds dist/. */
export function buildTypeScript() {
  buildWhenOlder('build:ts', 'the TypeScript part', {
    outputs: ['dist/index.js', 'dist/index.d.ts'],
    sources: ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'index.d.ts', 'src'],
  })
}

/** What was built elsewhere is to be checked, however old it is beside the sources here. */
const asBuilt = process.argv.includes('--as-built')

function buildWhenOlder(script, what, { outputs, sources, args = [] }) {
  if (asBuilt && outputs.every((path) => newest(path) !== undefined)) {
    say(`${outputs.join(', ')}: taken as built`)
    return
  }
  const started = new Date()
  const oldest = Math.min(...outputs.map((path) => newest(path) ?? 0))
  if (Math.max(...sources.map((path) => newest(path) ?? 0)) < oldest) return
  say(`building ${what} (npm run ${script})`)
  if (!runAsCaller(npm('run', '--silent', script, ...args))) stop(`npm run ${script} failed: see above`)
  // A source that was saved while its build ran is newer than the build.
  for (const path of outputs) if (newest(path)) utimesSync(join(root, path), started, started)
}

/** Time of the last change at or below a path. Folders count too: they tell of files that went away. */
function newest(path) {
  const stat = statSync(join(root, path), { throwIfNoEntry: false })
  if (!stat?.isDirectory()) return stat?.mtimeMs
  const below = readdirSync(join(root, path)).filter((name) => !notBuilt.has(name))
  return Math.max(stat.mtimeMs, ...below.map((name) => newest(join(path, name))))
}

/** Builds the Rust tests where crates can still be fetched. That it failed will show again when they are to run. */
export function buildRustTests() {
  say('building the Rust tests')
  runAsCaller(['cargo', 'test', '--workspace', '--locked', '--no-run'])
}

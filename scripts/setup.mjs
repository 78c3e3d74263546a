/**
 * Makes a fresh clone ready: checks what has to be there, installs what is missing where that is allowed, and builds
 * what is older than its sources. What may not be done here ends the script with the line that does it.
 *
 *   node scripts/setup.mjs
 */
import { chownSync, existsSync, readFileSync, readdirSync, statSync, utimesSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { npm, read, root, run, say, stop, which } from './run.mjs'

/** Program, header of C or file, to Debian package. */
const packages = {
  cc: ['gcc', 'libc6-dev'],
  clang: ['clang'],
  m4: ['m4'],
  'libelf.h': ['libelf-dev'],
  unshare: ['util-linux'],
  ip: ['iproute2'],
  tc: ['iproute2'],
  tcpdump: ['tcpdump'],
  tshark: ['tshark'],
  ethtool: ['ethtool'],
  sysctl: ['procps'],
  readelf: ['binutils'],
  tar: ['tar'],
  python3: ['python3', 'python3-venv'],
  'aarch64-linux-gnu-ld': ['binutils-aarch64-linux-gnu'],
  'qemu-system-aarch64': ['qemu-system-arm'],
  'qemu-system-x86_64': ['qemu-system-x86'],
  cpio: ['cpio'],
  xz: ['xz-utils'],
  'dpkg-deb': ['dpkg'],
  '/usr/share/keyrings/debian-archive-keyring.gpg': ['debian-archive-keyring'],
}
/** Folders of crates/ that the native part is not made of. */
const notBuilt = new Set(['target', 'tests', 'benches', 'examples', 'fuzz'])
/** What compiling the native part takes: libxdp is C, part of it for BPF, and its bindings are made with libclang. */
const buildTools = ['cc', 'clang', 'm4', 'libelf.h']
const oldestRust = [1, 88]
const rustup = `curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . "$HOME/.cargo/env"`

/** Returns when everything is in place: `tools` are programs of the system, beyond those that every script needs. */
export function ensureReady({ tools = [] } = {}) {
  checkNode()
  useHomeOfCaller()
  checkFolders()
  checkTools([...buildTools, 'unshare', ...tools])
  const rust = checkRust()
  say(`Node ${process.versions.node}, Rust ${rust}, ${[...buildTools, ...tools].join(', ')}: found`)
  installNpmPackages()
  build()
}

/** Returns when the native part can be compiled, with `tools` beyond those that a build for this machine takes. */
export function ensureBuildTools({ tools = [] } = {}) {
  useHomeOfCaller()
  checkFolders()
  checkTools([...buildTools, ...tools])
  checkRust()
  // napi would have cargo mend the lock file in silence.
  if (read('cargo', 'tree', '--locked', '--depth', '0') === undefined) {
    stop('Cargo.lock does not fit, or crates cannot be fetched. To see which, run:\n  cargo tree --locked --depth 0')
  }
}

/** Returns when scripts can run here: Node, the npm packages, and `tools`. */
export function ensureTools(tools) {
  checkNode()
  useHomeOfCaller()
  checkTools(tools)
  installNpmPackages()
}

/** Builds the Rust tests where crates can still be fetched. That it failed will show again when they are to run. */
export function buildRustTests() {
  say('building the Rust tests')
  runAsCaller(['cargo', 'test', '--workspace', '--locked', '--no-run'])
}

function checkNode() {
  if (process.platform !== 'linux') stop('AF_PACKET is a part of Linux; nothing to run here')
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  if (!fits(process.versions.node, engines.node)) {
    stop(`Node ${process.versions.node} does not do: ${engines.node} is needed. See https://nodejs.org`)
  }
}

/** Whether a version is in a range of the two forms that `engines` is made of: `^20.19.0 || >=22.12.0`. */
export function fits(version, range) {
  return range.split(' || ').some((part) => {
    const [, sign, oldest] = /^(\^|>=)(\d+\.\d+)\.0$/.exec(part) ?? stop(`package.json: engines has ${part}`)
    const [major, minor] = oldest.split('.').map(Number)
    return !older(version, [major, minor]) && (sign === '>=' || older(version, [major + 1, 0]))
  })
}

/** libbpf is built by make, which takes a blank or a quote in a path for something else. */
function checkFolders() {
  const cargo = process.env.CARGO_HOME ?? join(process.env.HOME ?? homedir(), '.cargo')
  for (const [what, path, mend] of [
    ['the clone lies in', root, 'Move it to one without, such as ~/netring'],
    ['cargo keeps what it fetches in', cargo, 'Set CARGO_HOME to one without'],
  ]) {
    const [wrong] = /[^\p{L}\p{N}/._@+-]/u.exec(path) ?? []
    if (wrong) stop(`${what} ${path}: libbpf cannot be built at a path with ${JSON.stringify(wrong)} in it. ${mend}`)
  }
}

function checkTools(tools) {
  const missing = tools.filter((tool) => !isHere(tool))
  if (missing.length === 0) return
  const wanted = [...new Set(missing.flatMap((tool) => packages[tool] ?? stop(`${tool} is missing`)))]
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...wanted]
  if (!which('apt-get')) stop(`${missing.join(', ')} missing: install what Debian calls ${wanted.join(', ')}`)
  if (process.getuid() !== 0) {
    stop(`${missing.join(', ')} missing. Run:\n  sudo apt-get update && sudo ${install.join(' ')}`)
  }
  say(`${missing.join(', ')} missing: installing ${wanted.join(', ')}`)
  aptInstall(wanted)
}

function isHere(tool) {
  if (tool.startsWith('/')) return existsSync(tool)
  return tool.endsWith('.h') ? hasHeader(tool) : which(tool)
}

/** Installs Debian packages; only root can. */
export function aptInstall(wanted) {
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...wanted]
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
  if (!run(['apt-get', 'update'], options)) say('apt-get update failed; trying with the package lists at hand')
  if (!run(install, options)) stop(`${install.join(' ')} failed: see above`)
}

/** Asked of the compiler, which knows where it looks. A missing compiler is named by itself. */
function hasHeader(name) {
  return !which('cc') || read('cc', '-E', '-include', name, '-x', 'c', '/dev/null') !== undefined
}

function checkRust() {
  // rustup puts cargo here, and into PATH only at the next login.
  if (!which('cargo')) process.env.PATH += `${delimiter}${join(process.env.HOME ?? '/root', '.cargo', 'bin')}`
  if (!which('cargo')) {
    const curl = which('curl') ? '' : `${process.getuid() === 0 ? '' : 'sudo '}apt-get install -y curl && `
    stop(`Rust is missing. Run:\n  ${curl}${rustup}`)
  }
  const version = read('cargo', '--version')?.split(' ')[1]
  const update = which('rustup') ? 'rustup update stable && rustup default stable' : rustup
  if (version === undefined) stop(`cargo is there but does not run. Run:\n  ${update}`)
  if (older(version, oldestRust)) {
    stop(`Rust ${version} is too old: ${oldestRust.join('.')} or newer is needed. Run:\n  ${update}`)
  }
  return version
}

function older(version, [major, minor]) {
  const [a, b] = version.split('.').map(Number)
  return a < major || (a === major && b < minor)
}

function installNpmPackages() {
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

function build() {
  const binding = readdirSync(root).filter((name) => name.endsWith(`.linux-${process.arch}-gnu.node`))
  buildWhenOlder('build:native', 'the Rust part, a minute or two the first time', {
    outputs: ['index.d.ts', binding[0] ?? 'netring.node'],
    sources: [...manifests, 'crates'],
  })
  buildWhenOlder('build:ts', 'the TypeScript part', {
    outputs: ['dist/index.js', 'dist/index.d.ts'],
    sources: ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'index.d.ts', 'src'],
  })
}

function buildWhenOlder(script, what, { outputs, sources, args = [] }) {
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

/** Under sudo, runs as whoever called it: what is installed and built must not end up belonging to root. */
export function runAsCaller(command, options = {}) {
  const caller = underSudo() ? { uid: Number(process.env.SUDO_UID), gid: Number(process.env.SUDO_GID) } : {}
  return run(command, { ...caller, ...options })
}

/** Under sudo, lets whoever called it write into a folder. */
export function giveToCaller(folder) {
  if (underSudo()) chownSync(folder, Number(process.env.SUDO_UID), Number(process.env.SUDO_GID))
}

/** Under sudo, goes on as whoever called it, once nothing is left that only root may do. */
export function becomeCaller() {
  if (!underSudo()) return
  const [user, group] = [Number(process.env.SUDO_UID), Number(process.env.SUDO_GID)]
  process.setgroups([group])
  process.setgid(group)
  process.setuid(user)
}

function underSudo() {
  return process.getuid() === 0 && Number(process.env.SUDO_UID ?? 0) !== 0
}

/** rustup and the caches of npm and cargo are found through HOME, which sudo sets to root's. */
function useHomeOfCaller() {
  if (!underSudo()) return
  process.env.HOME = read('getent', 'passwd', process.env.SUDO_UID)?.split(':')[5] ?? process.env.HOME
  // npm tells its scripts where it found these, which was below root's home.
  delete process.env.npm_config_cache
  delete process.env.npm_config_userconfig
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  ensureReady({ tools: ['ip', 'tcpdump', 'tshark', 'ethtool', 'tc', 'sysctl'] })
  say('ready')
}

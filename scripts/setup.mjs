/**
 * Makes a fresh clone ready: checks what has to be there, installs what is missing where that is allowed, and builds
 * what is older than its sources. What may not be done here ends the script with the line that does it.
 *
 *   node scripts/setup.mjs
 */
import { fileURLToPath } from 'node:url'
import { read, say, stop } from './run.mjs'
import { build, checkFolders, installNpmPackages } from './setup/build.mjs'
import { useHomeOfCaller } from './setup/caller.mjs'
import { checkNode, checkRust } from './setup/languages.mjs'
import { checkTools } from './setup/tools.mjs'

/** What compiling the native part takes: libxdp is C, part of it for BPF, and its bindings are made with libclang. */
const buildTools = ['cc', 'clang', 'm4', 'libelf.h']

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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  ensureReady({ tools: ['ip', 'tcpdump', 'tshark', 'pcap.h', 'ethtool', 'tc', 'sysctl'] })
  say('ready')
}

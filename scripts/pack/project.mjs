/** Projects of users: empty but for the packages, outside of the repository. */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { npm, root, run, say, stop, which } from '../run.mjs'

/** One with netring and the binary of this machine, and one that was installed without optional dependencies. */
export function makeProjects(folder, tarballs) {
  const named = (name) => tarballs.filter((tarball) => tarball.name === name)
  const binary = named(`netring-linux-${process.arch}-gnu`)
  const projects = { project: join(folder, 'project'), bare: join(folder, 'bare') }
  makeProject(projects.project, [...named('netring'), ...binary])
  makeProject(projects.bare, named('netring'), '--omit=optional')
  return projects
}

/** The packages are installed from their tarballs, with nothing in PATH but Node. */
function makeProject(folder, tarballs, ...flags) {
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true }))
  say(`installing ${tarballs.map(({ name }) => name).join(' and ')} in an empty project ${flags.join(' ')}`)
  const install = npm(
    'install',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    ...flags,
    ...tarballs.map(({ file }) => file),
  )
  if (!run(byPath(install), { cwd: folder, env: hidden(folder) })) stop('npm install failed: see above')
  cpSync(join(root, 'scripts/pack/consumer'), folder, { recursive: true })
  // As a project that is written in TypeScript has them; netring itself needs none.
  for (const name of ['@types/node', 'undici-types']) {
    cpSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), { recursive: true })
  }
}

/** An environment without compilers: in PATH is Node alone. */
export function hidden(folder) {
  const bin = join(folder, 'bin')
  mkdirSync(bin, { recursive: true })
  try {
    symlinkSync(process.execPath, join(bin, 'node'))
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
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

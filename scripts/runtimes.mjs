/**
 * Programs that run JavaScript, for the tests, the checks of the packages and the emulated machine. All of them come as npm packages:
 * scripts/runtimes has a set of them for each use, with versions and checksums in its lock file. A compiler is in one of them, because
 * it cannot be installed beside the one that this project is written for.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { npm, root, say } from './run.mjs'
import { runAsCaller } from './setup/caller.mjs'

/** Where the program lies in a package; the packages `bun` and `deno` themselves fetch it with an install script. */
const files = { node: 'bin/node', bun: 'bin/bun', deno: 'deno' }

/** Names of the programs in a set, such as `node-22`, for a processor. */
export function namesIn(set, arch = process.arch) {
  const end = `-${arch}`
  const names = packagesIn(set, arch).filter((name) => name.endsWith(end))
  return names.map((name) => name.slice(0, -end.length))
}

/** Packages of a set that are for a processor, or for any. */
function packagesIn(set, arch) {
  const { optionalDependencies } = JSON.parse(readFileSync(join(sourceOf(set), 'package.json'), 'utf8'))
  return Object.keys(optionalDependencies).filter((name) => !/-(x64|arm64)$/.test(name) || name.endsWith(`-${arch}`))
}

const isThere = (set, name, arch) => fileIn(set, name, 'package.json', arch) !== undefined

/** The program of that name, or undefined where it is not installed. */
export function program(set, name, arch = process.arch) {
  return fileIn(set, `${name}-${arch}`, files[name.split('-')[0]], arch)
}

/** A file of a package in a set, or undefined where it is not installed. */
export function fileIn(set, name, path, arch = process.arch) {
  const file = join(folderOf(set, arch), 'node_modules', name, path)
  return existsSync(file) ? file : undefined
}

/** Installs a set, unless it is there. What cannot be fetched is then not there. */
export function installSet(set, arch = process.arch) {
  const names = namesIn(set, arch)
  const [source, folder] = [sourceOf(set), folderOf(set, arch)]
  const [wanted, found] = [source, folder].map(lockIn)
  // npm writes this one last: an installation that was interrupted has none.
  const finished = existsSync(join(folder, 'node_modules', '.package-lock.json'))
  if (finished && wanted === found && packagesIn(set, arch).every((name) => isThere(set, name, arch))) return
  say(`installing ${names.join(', ')} for ${arch} with npm`)
  rmSync(folder, { recursive: true, force: true })
  const manifests = ['package.json', 'package-lock.json'].map((file) => join(source, file))
  runAsCaller(['mkdir', '-p', folder])
  runAsCaller(['cp', ...manifests, folder])
  // The rest of the lock file is optional, for another processor.
  const platform = [`--cpu=${arch}`, '--os=linux', '--libc=glibc']
  runAsCaller(
    npm(
      'ci',
      '--no-global',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      ...platform,
      '--prefix',
      folder,
    ),
  )
}

const sourceOf = (set) => join(root, 'scripts', 'runtimes', set)
const folderOf = (set, arch) => join(root, 'node_modules', '.cache', `runtimes-${set}-${arch}`)

function lockIn(folder) {
  const file = join(folder, 'package-lock.json')
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

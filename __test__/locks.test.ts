/** What netring is built from is named to the byte, and nothing of it runs when it is installed. */
import test from 'ava'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Manifest {
  readonly version: string
  readonly scripts?: Record<string, string>
  readonly dependencies?: Record<string, string>
  readonly peerDependencies?: Record<string, string>
  readonly optionalDependencies?: Record<string, string>
  readonly devDependencies?: Record<string, string>
}

interface Locked extends Manifest {
  readonly integrity?: string
  readonly hasInstallScript?: boolean
}

const root = fileURLToPath(new URL('..', import.meta.url))
const text = (file: string): string => readFileSync(join(root, file), 'utf8')
const manifest = (folder: string): Manifest => JSON.parse(text(join(folder, 'package.json'))) as Manifest
const platforms = readdirSync(join(root, 'npm')).map((name) => join('npm', name))

/**
 * Builds of the tests' compiler for other platforms, which the registry lacked when the lock file was written. Whose registry has
 * them gives them checksums: take them out of the lock file and run `npm install --package-lock-only`.
 */
const withoutChecksum = 'node_modules/@oxc-node/core-'

function locked(folder: string): [string, Locked][] {
  const { packages } = JSON.parse(text(join(folder, 'package-lock.json'))) as { packages: Record<string, Locked> }
  return Object.entries(packages)
}

test('whoever installs netring installs nothing else that runs, and runs nothing by installing it', (t) => {
  for (const folder of ['.', ...platforms]) {
    const { scripts = {}, dependencies = {}, peerDependencies = {}, optionalDependencies = {} } = manifest(folder)
    t.deepEqual([dependencies, peerDependencies], [{}, {}], folder)
    t.deepEqual(
      Object.keys(optionalDependencies).filter((name) => !name.startsWith('netring-linux-')),
      [],
    )
    for (const name of ['preinstall', 'install', 'postinstall', 'prepare'])
      t.false(name in scripts, `${folder}: ${name}`)
  }
})

const runtimes = ['nodes', 'others', 'machine'].map((set) => join('scripts/runtimes', set))

for (const folder of ['.', 'benchmark/peers', ...runtimes]) {
  test(`${folder}/package-lock.json fits package.json and has a checksum of every package`, (t) => {
    const [[, ours], ...others] = locked(folder) as [[string, Locked], ...[string, Locked][]]
    const wanted = manifest(folder)
    for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies'] as const) {
      t.deepEqual(ours[kind], wanted[kind], kind)
    }
    t.true(others.length > 0)
    for (const [path, { integrity = '' }] of others) {
      if (!path.startsWith(withoutChecksum)) t.regex(integrity, /^sha512-/, path)
    }
  })
}

/** esbuild's looks for its binary, which is a package of its own and found without it; `.npmrc` keeps it from running. */
test('no npm package but esbuild has an install script, and none is run', (t) => {
  const having = locked('.').filter(([, { hasInstallScript }]) => hasInstallScript)
  t.deepEqual(
    having.map(([path]) => path),
    ['node_modules/esbuild'],
  )
  t.regex(text('.npmrc'), /^ignore-scripts=true$/m)
})

test('every crate in the lock files comes with a checksum from the registry, or is our own', (t) => {
  for (const file of ['Cargo.lock', 'crates/netring/fuzz/Cargo.lock']) {
    const crates = text(file).split('[[package]]\n').slice(1)
    t.true(crates.length > 10)
    for (const crate of crates) {
      const [, name = ''] = /^name = "(.+)"$/m.exec(crate) ?? []
      if (name.startsWith('netring')) continue
      t.regex(crate, /^source = "registry\+.+"$/m, `${file}: ${name}`)
      t.regex(crate, /^checksum = "[0-9a-f]{64}"$/m, `${file}: ${name}`)
    }
  }
})

test('packages and crates have one version', (t) => {
  const [, crates] = /^version = "(.+)"$/m.exec(text('Cargo.toml')) ?? []
  t.deepEqual(
    platforms.map((folder) => manifest(folder).version),
    platforms.map(() => manifest('.').version),
  )
  t.is(crates, manifest('.').version)
})

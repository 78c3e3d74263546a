/** The packages as they would be published, and what may be in them. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { faults as binaryFaults, inspect } from '../prebuild/elf.mjs'
import { targets } from '../prebuild/targets.mjs'
import { platformPackages } from '../release.mjs'
import { npm, read, root, run, stop } from '../run.mjs'

/** What is published; all else is a mistake: sources, tests, maps, what an editor left. */
const allowed = {
  main: /^(dist\/[\w/-]+\.(js|d\.ts)|index\.d\.ts|package\.json|docs\/[\w-]+\.(md|svg)|examples\/(lib\/)?[\w-]+\.ts|(README|CHANGELOG|CONTRIBUTING|SECURITY)\.md|LICENSE-(MIT|APACHE)|THIRD-PARTY[\w.-]*)$/,
  platform: /^(netring\.linux-[\w-]+\.node|package\.json|README\.md|LICENSE-(MIT|APACHE)|THIRD-PARTY[\w.-]*)$/,
}

/** Whether a target's binary lies beside its package's files. */
export function isBuilt(target) {
  return existsSync(join(root, 'npm', target, `netring.${target}.node`))
}

/**
 * Packs the main package and each platform package that has its binary; stops where the one that is needed has none. Which platform
 * packages netring depends on is written into the packed manifest alone: a lock file of this repository could not name them before they
 * are published, and `npm ci` refuses one that does not name what package.json does.
 */
export function packAll(folder, needed = `linux-${process.arch}-gnu`) {
  const built = platformPackages.filter(({ name }) => isBuilt(name.replace('netring-', '')))
  if (!isBuilt(needed)) {
    stop(`npm/${needed} holds no binary to pack. Run:\n  npm run prebuild -- ${needed}`)
  }
  const staged = stage(folder, Object.fromEntries(platformPackages.map(({ name, version }) => [name, version])))
  const main = pack(folder, staged, 'main')
  return [main, ...built.map((one) => packPlatform(folder, one))]
}

/** Tarballs of the other platform packages: without a binary, to stand where a registry would have something of that name. */
export function packUnbuilt(folder) {
  const unbuilt = platformPackages.filter(({ name }) => !isBuilt(name.replace('netring-', '')))
  return unbuilt.map((one) => packPlatform(folder, one))
}

/** Licences and notices lie in the repository once, and in every package: each is passed on by itself. */
function packPlatform(folder, { name, folder: source }) {
  const staged = join(folder, `staged-${name}`)
  cpSync(join(root, source), staged, { recursive: true })
  for (const file of notices) cpSync(join(root, file), join(staged, file))
  return pack(folder, staged, 'platform')
}

/**
 * The files of the main package in a folder of their own, with the manifest that is published. The binary that `npm pack` of a clone
 * takes along is in the platform packages.
 */
function stage(folder, optionalDependencies) {
  const { file } = pack(folder, root, 'main')
  const staged = join(folder, 'staged')
  unpack(file, staged)
  rmSync(file)
  for (const name of readdirSync(join(staged, 'package')))
    if (name.endsWith('.node')) rmSync(join(staged, 'package', name))
  const manifest = join(staged, 'package', 'package.json')
  const { devDependencies, scripts, ava, ...published } = JSON.parse(readFileSync(manifest, 'utf8'))
  if (devDependencies === undefined || scripts === undefined || ava === undefined)
    stop('package.json lacks what is left out')
  writeFileSync(manifest, `${JSON.stringify({ ...published, optionalDependencies }, undefined, 2)}\n`)
  return join(staged, 'package')
}

/** Unpacks a tarball; its files are then below package/. */
export function unpack(file, folder) {
  mkdirSync(folder, { recursive: true })
  if (!run(['tar', '-xzf', file, '-C', folder])) stop(`tar cannot unpack ${file}`)
}

function pack(folder, path, kind) {
  const [command, ...args] = npm('pack', path, '--json', '--ignore-scripts', '--pack-destination', folder)
  const printed = read(command, ...args)
  if (printed === undefined) stop(`npm pack ${path} failed`)
  const [{ name, version, filename, integrity, size, unpackedSize, files }] = Object.values(JSON.parse(printed))
  return { name, version, kind, file: join(folder, filename), integrity, size, unpackedSize, files }
}

/** What stands in one line for a package that is fine: its files by folder, and their sizes. */
export function describe({ name, version, size, unpackedSize, files }) {
  const kb = (bytes) => `${(bytes / 1000).toFixed(1)} kB`
  const lines = [`${name}@${version}: ${kb(size)} packed, ${kb(unpackedSize)} unpacked, ${files.length} files`]
  const inDist = files.filter(({ path }) => path.startsWith('dist/'))
  if (inDist.length > 0)
    lines.push(`  dist/ ${inDist.length} files, ${kb(inDist.reduce((sum, { size }) => sum + size, 0))}`)
  for (const { path, size } of files) if (!path.startsWith('dist/')) lines.push(`  ${path} ${kb(size)}`)
  return lines
}

/** What has to be in each. */
const required = {
  main: ['dist/index.js', 'dist/index.d.ts', 'index.d.ts', 'README.md'],
  platform: ['README.md'],
}
const notices = ['LICENSE-MIT', 'LICENSE-APACHE', 'THIRD-PARTY.md']

/** What npm decides by whether a package goes onto a machine, and onto which. */
export function manifestFaults(manifest, paths) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const target = targets.find(({ name }) => manifest.name === `netring-${name}`)
  const binary = target && `netring.${target.name}.node`
  const dependencies = Object.fromEntries(targets.map(({ name }) => [`netring-${name}`, version]))
  const wanted = target
    ? {
        version,
        os: ['linux'],
        cpu: [target.cpu],
        libc: [target.libc],
        main: binary,
        dependencies: undefined,
      }
    : { name: 'netring', version, optionalDependencies: dependencies, dependencies: undefined, cpu: undefined }
  const faults = Object.entries(wanted)
    .filter(([key, value]) => !isDeepStrictEqual(manifest[key], value))
    .map(([key, value]) => `${manifest.name}: ${key} is ${JSON.stringify(manifest[key])}, not ${JSON.stringify(value)}`)
  const files = ['package.json', ...notices, ...(target ? [...required.platform, binary] : required.main)]
  for (const file of files) if (!paths.includes(file)) faults.push(`${manifest.name} lacks ${file}`)
  return faults
}

/** Links of a package's README that lead to no file of it: whoever has only the package reads it, too. */
export function linkFaults(contents) {
  const readme = readFileSync(join(contents, 'README.md'), 'utf8')
  const links = [...readme.matchAll(/\]\(([^)\s#]+)/g)].map(([, link]) => link)
  return links
    .filter((link) => !/^[a-z]+:/.test(link) && !existsSync(join(contents, link)))
    .map((link) => `README.md leads to ${link}, which is not packed`)
}

/** What is wrong with a package that packAll() has packed. It is unpacked in `folder` to see. */
export function faultsOf({ name, kind, file, files }, folder) {
  unpack(file, join(folder, name))
  const contents = join(folder, name, 'package')
  const manifest = JSON.parse(readFileSync(join(contents, 'package.json'), 'utf8'))
  const paths = files.map(({ path }) => path)
  const faults = manifestFaults(manifest, paths)
  for (const { path } of files) {
    if (!allowed[kind].test(path)) faults.push(`${name} contains ${path}`)
    const [, module] = /^dist\/(.+?)(?:\.d\.ts|\.js)$/.exec(path) ?? []
    if (module && !existsSync(join(root, 'src', `${module}.ts`)))
      faults.push(`${path} of ${name} has no source: remove dist`)
    const bytes = readFileSync(join(contents, path))
    for (const local of localPaths) {
      const at = bytes.indexOf(local)
      if (at >= 0) faults.push(`${path} of ${name} contains a path of this machine: ${around(bytes, at)}`)
    }
    if (bytes.includes('sourceMappingURL')) faults.push(`${path} of ${name} refers to a source map`)
  }
  const target = targets.find((target) => name === `netring-${target.name}`)
  if (target && paths.includes(manifest.main)) {
    const wrong = binaryFaults(inspect(join(contents, manifest.main)), target)
    faults.push(...wrong.map((fault) => `${manifest.main} of ${name}: ${fault}`))
  }
  const { scripts = {} } = manifest
  const atInstallation = ['preinstall', 'install', 'postinstall', 'prepare'].filter((script) => script in scripts)
  for (const script of atInstallation) faults.push(`${name} has a script ${script}`)
  return faults
}

/** Panics of Rust and assertions of C carry the paths of their sources, unless the build maps them to others. */
const localPaths = [...new Set([root, join(homedir(), '/'), '/.cargo/registry/', '/rustup/toolchains/'])].filter(
  // A user without a home has this one.
  (path) => path !== '/',
)

function around(bytes, at) {
  return bytes
    .subarray(at, at + 100)
    .toString('latin1')
    .replace(/[^ -~].*/s, '')
}

/**
 * `npm run prebuild`: the binary of every platform package, in its folder below npm/, built on one x64 machine and
 * checked. `npm run prebuild -- linux-arm64-gnu` builds those that are named.
 *
 * npm takes a script of this name for the hook of `build`. .npmrc says `ignore-scripts`, with which npm runs a script
 * that was asked for and no hooks; a check that has to come before a script is called in it, as in build:native.
 */
import { copyFileSync, rmSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { read, root, run, say, stop } from './run.mjs'
import { ensureBuildTools, ensureTools } from './setup.mjs'
import { becomeCaller } from './setup/caller.mjs'
import { crossEnvironment, ensureZig } from './prebuild/cross.mjs'
import { faults, inspect } from './prebuild/elf.mjs'
import { rustFor, rustupKnows } from './prebuild/rust.mjs'
import { targets } from './prebuild/targets.mjs'

const names = process.argv.slice(2)
const unknown = names.find((name) => !targets.some((target) => target.name === name))
if (unknown !== undefined)
  stop(`there is no target ${JSON.stringify(unknown)}: ${targets.map(({ name }) => name).join(', ')}`)
const wanted = targets.filter(({ name }) => names.length === 0 || names.includes(name))

if (process.arch !== 'x64') stop('packages are built on x64; npm run build:native builds for this machine')
ensureTools(['readelf', 'python3'])
ensureBuildTools({ tools: wanted.flatMap(({ binutils }) => (binutils ? [`${binutils}ld`] : [])) })
const chosen = wanted.filter((target) => {
  // What a release is made of is not left to luck.
  const optional = target.experimental && names.length === 0 && !process.env.CI
  if (!optional || rustupKnows(target)) return true
  rmSync(join(root, 'npm', target.name, `netring.${target.name}.node`), { force: true })
  say(`${target.name} is experimental and left out: Rust does not know ${target.rust}, which comes with rustup only`)
  return false
})
const compilers = new Map(chosen.map((target) => [target, rustFor(target)]))
becomeCaller()
ensureZig()

const built = chosen.map((target) => {
  say(`building ${target.name}`)
  const file = build(target)
  const facts = inspect(file)
  return { target, file, facts, wrong: faults(facts, target) }
})

console.log('\n| file | bytes | glibc | needs | compiler |\n|---|---|---|---|---|')
for (const { target, file, facts } of built) {
  const columns = [
    join('npm', target.name, basename(file)),
    facts.bytes,
    target.libc === 'glibc' ? facts.glibc.join('.') : '-',
    facts.needed.join(', '),
  ]
  // The same compiler makes the same bytes.
  console.log(`| ${[...columns, read(compilers.get(target) ?? 'rustc', '--version')].join(' | ')} |`)
}
const wrong = built.flatMap(({ file, wrong }) => wrong.map((fault) => `${relative(root, file)}: ${fault}`))
if (wrong.length > 0) stop(wrong.join('\n'))
for (const { target, file } of built) {
  const published = join(root, 'npm', target.name, basename(file))
  // Not written over: a process that runs it would find other code where its own was.
  rmSync(published, { force: true })
  copyFileSync(file, published)
}

/** Builds for one target and returns the path of its binary, which is put beside its package's files when all are right. */
function build(target) {
  const folder = join(root, 'target', 'prebuild', target.name)
  const env = { ...process.env, ...crossEnvironment(target, compilers.get(target)) }
  const options = ['--platform', '--release', '--cross-compile', '--target', target.zig]
  const crate = ['--manifest-path', 'crates/netring-node/Cargo.toml', '--package', 'netring-node']
  // The bindings are the same for every target; those that build:native wrote stay.
  const outputs = ['-o', relative(root, folder), '--no-js', '--dts', 'index.d.ts']
  if (!run(['node_modules/.bin/napi', 'build', ...options, ...crate, ...outputs, '--', '--locked'], { env })) {
    stop(`${target.name} does not build: see above`)
  }
  return join(folder, `netring.${target.name}.node`)
}

/** The crates that are linked into the addon, as Cargo.lock names them: not what builds it, runs in the compiler or tests it. */
import { dirname } from 'node:path'
import { read, stop } from '../run.mjs'

/** The platforms that have packages, and the one that is tried: what is linked may differ. As in deny.toml. */
const targets = ['x86_64-unknown-linux-gnu', 'aarch64-unknown-linux-gnu', 'x86_64-unknown-linux-musl']
const ours = new Set(['netring', 'netring-filter', 'netring-node', 'netring-pcap'])

/** Sorted by name: name, version, licence expression, authors, and the folder of the sources. */
export function linkedCrates() {
  const linked = new Set(targets.flatMap(linkedOn))
  const all = targets.flatMap((target) => {
    const metadata = cargo('metadata', '--locked', '--format-version', '1', '--filter-platform', target)
    return JSON.parse(metadata).packages
  })
  const crates = new Map(all.map((crate) => [`${crate.name} ${crate.version}`, crate]))
  return [...linked].sort().map((id) => {
    const { name, version, license, authors, manifest_path } = crates.get(id)
    return { name, version, license, authors: authors.map(withoutAddress), folder: dirname(manifest_path) }
  })
}

function linkedOn(target) {
  const graph = ['--package', 'netring-node', '--edges', 'normal,no-proc-macro', '--target', target]
  const tree = cargo('tree', '--locked', ...graph, '--prefix', 'none', '--format', '{p}')
  return tree
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([name]) => name !== '' && !ours.has(name))
    .map(([name, version]) => `${name} ${version.slice(1)}`)
}

function cargo(...args) {
  return read('cargo', ...args) ?? stop(`cargo ${args[0]} failed. To see why, run:\n  cargo ${args.join(' ')}`)
}

const withoutAddress = (author) => author.replace(/\s*<.*>$/, '')

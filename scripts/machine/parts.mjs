/** What a machine is made of, fetched once into target/machine: Debian's kernel, libc and busybox, and Node. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, say, stop } from '../run.mjs'
import { installSet, program } from '../runtimes.mjs'
import { debianPackages } from './apt.mjs'

/** Returns where it is: `system` from Debian, unpacked; `node`, the program; `folder`, for what is made of them. */
export function fetchParts(system) {
  const folder = join(root, 'target', 'machine', system.debian)
  const debs = join(folder, 'debs')
  mkdirSync(debs, { recursive: true })
  const packages = debianPackages(system.debian, folder)
  const kernel = kernelPackage(system, packages)
  const names = [kernel, 'busybox-static', 'libc6', 'libgcc-s1', 'libstdc++6']
  for (const name of names) if (!file(debs, name)) packages.download(name, debs)

  const version = kernel.replace('linux-image-', '')
  const machine = join(folder, version)
  const unpacked = join(machine, 'system')
  if (!existsSync(join(machine, 'unpacked'))) {
    say(`unpacking ${names.join(', ')}`)
    rmSync(machine, { recursive: true, force: true })
    mkdirSync(machine, { recursive: true })
    for (const deb of names.map((name) => file(debs, name))) {
      if (!run(['dpkg-deb', '-x', join(debs, deb), unpacked])) stop(`${deb} cannot be unpacked: see above`)
    }
    writeFileSync(join(machine, 'unpacked'), '')
  }
  return { folder: machine, system: unpacked, version, node: fetchNode(system) }
}

/** The package that Debian's name for "the kernel" stands for today. */
function kernelPackage({ kernel, debian }, packages) {
  const depends = packages.ask('depends', kernel) ?? ''
  return /Depends: (linux-image-[^\s:]+)/.exec(depends)?.[1] ?? stop(`apt does not know ${kernel}:${debian}`)
}

const file = (debs, name) => readdirSync(debs).find((deb) => deb.startsWith(`${name}_`))

function fetchNode({ node }) {
  installSet('machine', node)
  return program('machine', 'node-22', node) ?? stop(`Node.js for ${node} could not be fetched: see above`)
}

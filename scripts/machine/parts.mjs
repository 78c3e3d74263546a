/** What a machine is made of, fetched once into target/machine: Debian's kernel, libc and busybox, and Node. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { npm, read, root, run, say, stop, which } from '../run.mjs'
import { runAsCaller } from '../setup.mjs'

const nodeVersion = '22'

/** Returns where it is: `system` from Debian, unpacked; `node`, the program; `folder`, for what is made of them. */
export function fetchParts(system) {
  const folder = join(root, 'target', 'machine', system.debian)
  const debs = join(folder, 'debs')
  mkdirSync(debs, { recursive: true })
  knowArchitecture(system)
  const kernel = kernelPackage(system)
  const names = [kernel, 'busybox-static', 'libc6', 'libgcc-s1', 'libstdc++6']
  for (const name of names) fetch(name, system, debs)

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
  return { folder: machine, system: unpacked, version, node: fetchNode(system, folder) }
}

/** apt knows packages of another architecture only when it was told of it. */
function knowArchitecture({ debian }) {
  if (!which('apt-get')) stop('the machine is made of Debian packages, and apt-get is not here')
  const known = [
    read('dpkg', '--print-architecture'),
    ...(read('dpkg', '--print-foreign-architectures') ?? '').split('\n'),
  ]
  const listed = () => read('apt-cache', 'show', `libc6:${debian}`) !== undefined
  if (known.includes(debian) && listed()) return
  const add = ['dpkg', '--add-architecture', debian]
  if (process.getuid() !== 0) {
    stop(`apt has no lists of ${debian} packages. Run:\n  sudo ${add.join(' ')} && sudo apt-get update`)
  }
  say(`telling apt of ${debian} packages (${add.join(' ')}, apt-get update)`)
  if (!run(add) || !run(['apt-get', 'update']) || !listed())
    stop(`apt-get update brought no lists of ${debian} packages`)
}

/** The package that Debian's name for "the kernel" stands for today. */
function kernelPackage({ kernel, debian }) {
  const depends = read('apt-cache', 'depends', `${kernel}:${debian}`) ?? ''
  return /Depends: (linux-image-[^\s:]+)/.exec(depends)?.[1] ?? stop(`apt does not know ${kernel}:${debian}`)
}

const file = (debs, name) => readdirSync(debs).find((deb) => deb.startsWith(`${name}_`))

function fetch(name, { debian }, debs) {
  if (file(debs, name)) return
  say(`fetching ${name} for ${debian}`)
  if (!run(['apt-get', 'download', '--quiet', `${name}:${debian}`], { cwd: debs })) {
    stop(`${name} could not be fetched. Are the lists of packages old? Run:\n  sudo apt-get update`)
  }
}

function fetchNode({ node }, folder) {
  const prefix = join(folder, 'node')
  const program = join(prefix, 'node_modules', node, 'bin', 'node')
  if (existsSync(program)) return program
  say(`fetching ${node}@${nodeVersion} with npm`)
  mkdirSync(prefix, { recursive: true })
  // --force: it is for another processor than this one.
  const install = ['install', '--no-save', '--no-package-lock', '--force', '--silent', '--prefix', prefix]
  if (!runAsCaller(npm(...install, `${node}@${nodeVersion}`)) || !existsSync(program)) {
    stop(`${node}@${nodeVersion} could not be fetched: see above`)
  }
  return program
}

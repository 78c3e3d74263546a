/** The machine's only file system: Node, the package as npm would install it, and the checks. */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { packAll, unpack } from '../pack/tarballs.mjs'
import { read, root, run, stop } from '../run.mjs'

/** First process of the machine. busybox's own `sh`, so that nothing has to be linked before it starts. */
const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t bpf bpf /sys/fs/bpf
insmod /modules/veth.ko
ip link set lo up
node --expose-gc /app/main.mjs
echo "# checks ended with $?"
poweroff -f
`

/** What runs there: the network, and the checks over it. */
const main = (label) => `
import { makeNetwork } from './testkit/consumer/network.mjs'
import { disableIpv6, netnsOf } from './testkit/network.mjs'
disableIpv6(netnsOf())
makeNetwork()
process.argv[2] = ${JSON.stringify(label)}
process.env.NETRING_CHECK_ROUNDS = '1'
await import('./testkit/consumer/main.mjs')
`

/** Writes the archive and returns its path. */
export function makeInitramfs(system, { folder, system: debian, node, version }) {
  const image = join(folder, 'image')
  rmSync(image, { recursive: true, force: true })
  for (const name of ['bin', 'dev', 'proc', 'sys', 'tmp', 'modules', 'usr/lib', system.loader.split('/')[0]]) {
    mkdirSync(join(image, name), { recursive: true })
  }
  copyFileSync(join(debian, 'bin', 'busybox'), join(image, 'bin', 'busybox'))
  copyFileSync(node, join(image, 'bin', 'node'))
  copyFileSync(join(debian, system.loader), join(image, system.loader))
  copyLibraries(image, debian, system)
  copyModule(image, join(debian, 'lib', 'modules', version, 'kernel', 'drivers', 'net', 'veth.ko'))

  installPackages(join(image, 'app', 'node_modules'), folder, system.binary)
  cpSync(join(root, 'testkit'), join(image, 'app', 'testkit'), { recursive: true })
  writeFileSync(join(image, 'app', 'main.mjs'), main(system.binary))

  writeFileSync(join(image, 'init'), init)
  for (const program of ['init', 'bin/node', 'bin/busybox']) chmodSync(join(image, program), 0o755)
  const archive = join(folder, 'initramfs')
  const pack = 'find . | cpio --quiet -o -H newc -R 0:0 > "$0"'
  if (!run(['sh', '-c', pack, archive], { cwd: image })) stop('the initramfs could not be packed: see above')
  return archive
}

/** What Node names as NEEDED, and libgcc and libresolv, which are opened later. */
function copyLibraries(image, debian, { libraries }) {
  const wanted = /^lib(c|m|dl|pthread|rt|gcc_s|stdc\+\+|resolv)\.so\.\d+$/
  const to = join(image, 'lib', libraries)
  mkdirSync(to, { recursive: true })
  for (const folder of [join(debian, 'lib', libraries), join(debian, 'usr', 'lib', libraries)]) {
    for (const name of readdirSync(folder).filter((name) => wanted.test(name))) {
      copyFileSync(read('readlink', '-f', join(folder, name)), join(to, name))
    }
  }
}

/** Newer kernels' modules are compressed. */
function copyModule(image, file) {
  const to = join(image, 'modules', basename(file))
  if (existsSync(file)) copyFileSync(file, to)
  else if (!run(['sh', '-c', 'exec xz -dc "$0" > "$1"', `${file}.xz`, to])) stop(`${file} is neither there nor packed`)
}

/** The packages as they would be published, where npm would install them. */
function installPackages(modules, folder, binary) {
  const tarballs = join(folder, 'tarballs')
  rmSync(tarballs, { recursive: true, force: true })
  mkdirSync(tarballs)
  const wanted = packAll(tarballs, binary).filter(({ name }) => ['netring', `netring-${binary}`].includes(name))
  mkdirSync(modules, { recursive: true })
  for (const { name, file } of wanted) {
    unpack(file, join(tarballs, name))
    renameSync(join(tarballs, name, 'package'), join(modules, name))
  }
}

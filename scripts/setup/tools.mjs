/** Programs and headers of the system: which Debian package has them, and installing it. */
import { existsSync } from 'node:fs'
import { read, run, say, stop, which } from '../run.mjs'

/** Program, header of C or file, to Debian package. */
const packages = {
  cc: ['gcc', 'libc6-dev'],
  clang: ['clang'],
  m4: ['m4'],
  'libelf.h': ['libelf-dev'],
  'pcap.h': ['libpcap-dev'],
  unshare: ['util-linux'],
  ip: ['iproute2'],
  tc: ['iproute2'],
  tcpdump: ['tcpdump'],
  tshark: ['tshark'],
  ethtool: ['ethtool'],
  sysctl: ['procps'],
  readelf: ['binutils'],
  tar: ['tar'],
  python3: ['python3', 'python3-venv'],
  'aarch64-linux-gnu-ld': ['binutils-aarch64-linux-gnu'],
  'qemu-system-aarch64': ['qemu-system-arm'],
  'qemu-system-x86_64': ['qemu-system-x86'],
  cpio: ['cpio'],
  xz: ['xz-utils'],
  'dpkg-deb': ['dpkg'],
  '/usr/share/keyrings/debian-archive-keyring.gpg': ['debian-archive-keyring'],
}
/** Returns when all of these are here: root installs what is missing, others are told the line that does. */
export function checkTools(tools) {
  const missing = tools.filter((tool) => !isHere(tool))
  if (missing.length === 0) return
  const wanted = [...new Set(missing.flatMap((tool) => packages[tool] ?? stop(`${tool} is missing`)))]
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...wanted]
  if (!which('apt-get')) stop(`${missing.join(', ')} missing: install what Debian calls ${wanted.join(', ')}`)
  if (process.getuid() !== 0) {
    stop(`${missing.join(', ')} missing. Run:\n  sudo apt-get update && sudo ${install.join(' ')}`)
  }
  say(`${missing.join(', ')} missing: installing ${wanted.join(', ')}`)
  aptInstall(wanted)
}

function isHere(tool) {
  if (tool.startsWith('/')) return existsSync(tool)
  return tool.endsWith('.h') ? hasHeader(tool) : which(tool)
}

/** Installs Debian packages; only root can. */
export function aptInstall(wanted) {
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...wanted]
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
  if (!run(['apt-get', 'update'], options)) say('apt-get update failed; trying with the package lists at hand')
  if (!run(install, options)) stop(`${install.join(' ')} failed: see above`)
}

/** Asked of the compiler, which knows where it looks. A missing compiler is named by itself. */
function hasHeader(name) {
  return !which('cc') || read('cc', '-E', '-include', name, '-x', 'c', '/dev/null') !== undefined
}

/**
 * Compiling C for another machine, or for an older glibc than this one's. zig is a C compiler and linker that has the
 * headers of every glibc, and cargo-zigbuild puts it in the linker's place. Paths stand unquoted in what shells and make
 * read here, and in what they read of libbpf: ensureBuildTools() refuses folders that would have to be quoted.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { makeEnvironment, pip } from '../pip.mjs'
import { read, root, say, stop, which } from '../run.mjs'

const folder = join(root, 'target', 'prebuild')
const environment = join(folder, 'venv')
const python = join(environment, 'bin', 'python3')
const zigbuild = join(environment, 'bin', 'cargo-zigbuild')
const include = join(folder, 'include')
const clang = join(folder, 'clang')
const requirements = `ziglang==0.17.1 \\
  --hash=sha256:ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54
cargo-zigbuild==0.24.1 \\
  --hash=sha256:238a1ab54a95053a4eadc34775c81f795a8ad75f80bfed63f3f445f518102375
`

/** Where this machine's compiler looks for headers that differ from processor to processor. */
const multiarch = '/usr/include/x86_64-linux-gnu'

/** Installs zig and cargo-zigbuild, in an environment of their own. */
export function ensureZig() {
  const mark = join(environment, 'installed')
  // The python that it was made with may have been replaced since.
  const works = read(python, '-m', 'ziglang', 'version') !== undefined && existsSync(zigbuild)
  if (works && existsSync(mark) && readFileSync(mark, 'utf8') === requirements) return
  say('installing zig and cargo-zigbuild from PyPI in target/prebuild')
  makeEnvironment(environment)
  pip(environment, 'install', requirements)
  writeFileSync(mark, requirements)
}

/** The environment in which `napi build --cross-compile` makes the binary of a target. */
export function crossEnvironment(target, rustc) {
  writeHelpers()
  const name = target.rust.replaceAll('-', '_')
  const binutils = (tool) => (target.binutils ? { [tool.toUpperCase()]: `${target.binutils}${tool}` } : {})
  return {
    PATH: [join(environment, 'bin'), process.env.PATH].join(delimiter),
    CARGO_TARGET_DIR: join(folder, rustc === undefined ? 'cargo' : 'cargo-debian'),
    ...(rustc && { RUSTC: rustc }),
    // libxdp asks for this machine's own headers, which contradict zig's. Named once more as the last folder to look
    // into, it is not looked into before: of two mentions the compiler keeps the one as a folder of the system.
    [`CFLAGS_${name}`]: `-I${include} -idirafter ${multiarch} ${prefixMaps('-ffile-prefix-map').join(' ')}`,
    // With the hyphens of the triple bindgen looks here before it looks at what cargo-zigbuild sets.
    [`BINDGEN_EXTRA_CLANG_ARGS_${target.rust}`]: headers(target)
      .map((path) => `-isystem ${path}`)
      .join(' '),
    RUSTFLAGS: prefixMaps('--remap-path-prefix').join(' '),
    CLANG: clang,
    ...binutils('ld'),
    ...binutils('ar'),
    ...binutils('objcopy'),
  }
}

/** No path of the machine that built it stands in what is published, and where it was built changes no byte. */
function prefixMaps(option) {
  const cargo = process.env.CARGO_HOME ?? join(process.env.HOME ?? homedir(), '.cargo')
  return [`${option}=${root.replace(/\/$/, '')}=netring`, `${option}=${cargo}=cargo`]
}

/** libelf's and zlib's headers are the same on every machine: the folder has links to them, and to nothing else. */
function writeHelpers() {
  rmSync(include, { recursive: true, force: true })
  mkdirSync(include, { recursive: true })
  for (const header of ['libelf.h', 'gelf.h', 'zlib.h', 'zconf.h']) {
    const file = ['/usr/include', multiarch].map((path) => join(path, header)).find(existsSync)
    if (file === undefined) stop(`${header} is missing. Run:\n  sudo apt-get install -y libelf-dev zlib1g-dev`)
    symlinkSync(file, join(include, header))
  }
  // For BPF programs, which are the same everywhere too: linux/types.h needs an asm/types.h, and any will do.
  const flags = ['-idirafter', multiarch, ...prefixMaps('-ffile-prefix-map')]
  writeFileSync(clang, `#!/bin/sh\nexec ${which('clang')} "$@" ${flags.join(' ')}\n`)
  chmodSync(clang, 0o755)
}

/** Where bindgen finds headers: clang's own (stddef.h), and libc's as zig has them, so that both read the same. */
function headers({ zig }) {
  const triple = zig.replace('-unknown', '')
  const resources = read('clang', '-print-resource-dir')
  // What clang prints is on its stderr.
  const printed = read('sh', '-c', '"$0" -m ziglang cc -target "$1" -E -v -x c /dev/null 2>&1', python, triple)
  const [, list] = /search starts here:\n(?:#include <.*\n)?([\s\S]*?)\nEnd of search list/.exec(printed ?? '') ?? []
  if (resources === undefined || list === undefined) stop(`clang does not run, or zig does not know ${triple}`)
  const libc = list.split('\n').map((line) => resolve(root, line.trim()))
  return [join(resources, 'include'), ...libc.filter((path) => path.includes('/libc/include/'))]
}

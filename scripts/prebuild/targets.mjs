/** The platforms that have a package below npm/, and what the binary of each has to be. */

/** The oldest glibc that the binaries load on. Node's own need 2.28, so no Node is left out. */
export const oldestGlibc = [2, 17]

/**
 * - `cpu`, `libc`: what npm goes by when it chooses a package
 * - `rust`: the target as rustc names it; `zig`: as cargo-zigbuild wants it, with the glibc to link against
 * - `machine`: what readelf calls the processor
 * - `libraries`: what it may need; the first it has to
 * - `largestPage`: loadable segments are aligned to it, or the kernel with pages of that size refuses the file
 */
export const targets = [
  {
    name: 'linux-x64-gnu',
    cpu: 'x64',
    libc: 'glibc',
    rust: 'x86_64-unknown-linux-gnu',
    zig: `x86_64-unknown-linux-gnu.${oldestGlibc.join('.')}`,
    machine: 'Advanced Micro Devices X86-64',
    largestPage: 0x1000,
    libraries: ['libc.so.6', 'libm.so.6', 'libgcc_s.so.1', 'ld-linux-x86-64.so.2'],
  },
  {
    name: 'linux-arm64-gnu',
    cpu: 'arm64',
    libc: 'glibc',
    rust: 'aarch64-unknown-linux-gnu',
    zig: `aarch64-unknown-linux-gnu.${oldestGlibc.join('.')}`,
    machine: 'AArch64',
    largestPage: 0x10000,
    libraries: ['libc.so.6', 'libm.so.6', 'libgcc_s.so.1', 'ld-linux-aarch64.so.1'],
    // binutils write objects of one processor: these wrap a BPF program into one of the target's.
    binutils: 'aarch64-linux-gnu-',
    debian: 'arm64',
  },
  {
    name: 'linux-x64-musl',
    cpu: 'x64',
    libc: 'musl',
    rust: 'x86_64-unknown-linux-musl',
    zig: 'x86_64-unknown-linux-musl',
    machine: 'Advanced Micro Devices X86-64',
    largestPage: 0x1000,
    // Left out where only all targets are asked for and Rust has no library for it.
    experimental: true,
    // musl is one file, by this name and others.
    libraries: ['libc.so'],
  },
]

/**
 * Parts of libc that were libraries of their own before glibc 2.34. A binary that is to load on older ones names them;
 * every glibc has them.
 */
export const formerlyApart = ['libpthread.so.0', 'libdl.so.2', 'librt.so.1', 'libutil.so.1']

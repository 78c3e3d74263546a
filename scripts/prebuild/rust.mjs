/** A Rust compiler that knows a target: rustup's, or Debian's, or the line that gets one. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { read, say, stop, which } from '../run.mjs'
import { runAsCaller } from '../setup/caller.mjs'
import { aptInstall } from '../setup/tools.mjs'

/** Debian's compiler of the age that is needed, beside the older one that is plainly called rustc. */
const debianCompiler = '/usr/bin/rustc'

/** Whether rustFor() would give a compiler of a target that Debian has none of. */
export function rustupKnows(target) {
  const rustup = ['rustup', 'target', 'add', target.rust]
  return knows('rustc', target) || (which('rustup') !== undefined && runAsCaller(rustup) && knows('rustc', target))
}

/** The compiler to use for a target, as what RUSTC is to be; undefined is the one that cargo finds by itself. */
export function rustFor(target) {
  if (knows('rustc', target)) return undefined
  if (knows(debianCompiler, target)) return debianCompiler

  const rustup = `rustup target add ${target.rust}`
  if (which('rustup') && runAsCaller(rustup.split(' ')) && knows('rustc', target)) return undefined

  const packages = ['rustc-web', `libstd-rust-web-dev:${target.debian}`]
  const addArchitecture = ['dpkg', '--add-architecture', target.debian]
  if (!target.debian || !which('apt-get') || read('apt-cache', 'show', packages[0]) === undefined) {
    stop(`Rust does not know ${target.rust}. Run:\n  ${rustup}`)
  }
  if (process.getuid() !== 0) {
    const install = `sudo apt-get install -y --no-install-recommends ${packages.join(' ')}`
    stop(
      `Rust does not know ${target.rust}. Run one of:\n  ${rustup}\n` +
        `  sudo ${addArchitecture.join(' ')} && sudo apt-get update && ${install}`,
    )
  }
  say(`Rust does not know ${target.rust}: installing ${packages.join(', ')} (and first, ${addArchitecture.join(' ')})`)
  if (read(...addArchitecture) === undefined) stop(`${addArchitecture.join(' ')} failed`)
  aptInstall(packages)
  if (!knows(debianCompiler, target)) stop(`${debianCompiler} does not know ${target.rust} still. Run:\n  ${rustup}`)
  return debianCompiler
}

/** Whether the standard library of a target lies where the compiler looks for it. */
function knows(compiler, { rust }) {
  const sysroot = read(compiler, '--print', 'sysroot')
  return sysroot !== undefined && existsSync(join(sysroot, 'lib', 'rustlib', rust, 'lib'))
}

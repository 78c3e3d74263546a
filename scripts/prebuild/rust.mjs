/** A Rust compiler that knows a target: rustup's, or Debian's, or the line that gets one. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { read, say, stop, which } from '../run.mjs'
import { runAsCaller } from '../setup/caller.mjs'
import { aptInstall } from '../setup/tools.mjs'

/** Debian's compiler of the age that is needed, beside the older one that is plainly called rustc. */
const debianCompiler = '/usr/bin/rustc'

/** Whether the compiler that cargo finds by itself knows a target, once rustup, where that is here, has added it. */
export function rustupKnows(target) {
  if (knows('rustc', target)) return true
  return which('rustup') !== undefined && runAsCaller(addTarget(target)) && knows('rustc', target)
}

const addTarget = ({ rust }) => ['rustup', 'target', 'add', rust]

/** The compiler to use for a target, as what RUSTC is to be; undefined is the one that cargo finds by itself. */
export function rustFor(target) {
  if (knows('rustc', target)) return undefined
  if (knows(debianCompiler, target)) return debianCompiler

  if (rustupKnows(target)) return undefined

  const rustup = addTarget(target).join(' ')
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

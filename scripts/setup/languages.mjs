/** Node.js and Rust: which versions do. */
import { readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { read, root, stop, which } from '../run.mjs'

const oldestRust = [1, 88]
const rustup = `curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . "$HOME/.cargo/env"`

/** Returns when this is a Node.js that `engines` of package.json names. */
export function checkNode() {
  if (process.platform !== 'linux') stop('AF_PACKET is a part of Linux; nothing to run here')
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  if (!fits(process.versions.node, engines.node)) {
    stop(`Node ${process.versions.node} does not do: ${engines.node} is needed. See https://nodejs.org`)
  }
}

/** Whether a version is in a range of the two forms that `engines` is made of: `^20.19.0 || >=22.12.0`. */
export function fits(version, range) {
  return range.split(' || ').some((part) => {
    const [, sign, oldest] = /^(\^|>=)(\d+\.\d+)\.0$/.exec(part) ?? stop(`package.json: engines has ${part}`)
    const [major, minor] = oldest.split('.').map(Number)
    return !older(version, [major, minor]) && (sign === '>=' || older(version, [major + 1, 0]))
  })
}

/** Returns the version of Rust, when it will do. */
export function checkRust() {
  // rustup puts cargo here, and into PATH only at the next login.
  if (!which('cargo')) process.env.PATH += `${delimiter}${join(process.env.HOME ?? '/root', '.cargo', 'bin')}`
  if (!which('cargo')) {
    const curl = which('curl') ? '' : `${process.getuid() === 0 ? '' : 'sudo '}apt-get install -y curl && `
    stop(`Rust is missing. Run:\n  ${curl}${rustup}`)
  }
  const version = read('cargo', '--version')?.split(' ')[1]
  const update = which('rustup') ? 'rustup update stable && rustup default stable' : rustup
  if (version === undefined) stop(`cargo is there but does not run. Run:\n  ${update}`)
  if (older(version, oldestRust)) {
    stop(`Rust ${version} is too old: ${oldestRust.join('.')} or newer is needed. Run:\n  ${update}`)
  }
  return version
}

function older(version, [major, minor]) {
  const [a, b] = version.split('.').map(Number)
  return a < major || (a === major && b < minor)
}

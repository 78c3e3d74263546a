/** Under sudo: who called it, and doing as they would. */
import { chownSync } from 'node:fs'
import { read, run } from '../run.mjs'

/** Under sudo, runs as whoever called it: what is installed and built must not end up belonging to root. */
export function runAsCaller(command, options = {}) {
  const caller = underSudo() ? { uid: Number(process.env.SUDO_UID), gid: Number(process.env.SUDO_GID) } : {}
  return run(command, { ...caller, ...options })
}

/** Under sudo, lets whoever called it write into a folder. */
export function giveToCaller(folder) {
  if (underSudo()) chownSync(folder, Number(process.env.SUDO_UID), Number(process.env.SUDO_GID))
}

/** Under sudo, goes on as whoever called it, once nothing is left that only root may do. */
export function becomeCaller() {
  if (!underSudo()) return
  const [user, group] = [Number(process.env.SUDO_UID), Number(process.env.SUDO_GID)]
  process.setgroups([group])
  process.setgid(group)
  process.setuid(user)
}

function underSudo() {
  return process.getuid() === 0 && Number(process.env.SUDO_UID ?? 0) !== 0
}

/** rustup and the caches of npm and cargo are found through HOME, which sudo sets to root's. */
export function useHomeOfCaller() {
  if (!underSudo()) return
  process.env.HOME = read('getent', 'passwd', process.env.SUDO_UID)?.split(':')[5] ?? process.env.HOME
  // npm tells its scripts where it found these, which was below root's home.
  delete process.env.npm_config_cache
  delete process.env.npm_config_userconfig
}

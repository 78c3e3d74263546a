/** The soak's network: two hosts, each behind a veth pair of its own, and this namespace between them. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { waitUntilOperating } from '../links.mjs'

/** Our ends; their other ends, named `far`, are alone in namespaces of these names. */
export const near = { source: 'left', target: 'right' }
const hosts = { left: 'soak-source', right: 'soak-target' }
const quiet = ['net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1']

export function makeNetwork() {
  run('sysctl', '-qw', ...quiet)
  for (const [end, host] of Object.entries(hosts)) {
    run('ip', 'netns', 'add', host)
    run('ip', 'netns', 'exec', host, 'sysctl', '-qw', ...quiet)
    run('ip', 'link', 'add', end, 'type', 'veth', 'peer', 'name', 'far', 'netns', host)
    run('ip', '-n', host, 'link', 'set', 'far', 'up')
    run('ip', 'link', 'set', end, 'up')
  }
  waitUntilOperating(Object.entries(hosts).flatMap(([end, host]) => [[end], ['far', host]]))
}

export function removeNetwork() {
  for (const host of Object.values(hosts)) run('ip', 'netns', 'del', host)
}

/** Frames that the host at the target's end has received since its interface is there. */
export function arrivedAtTarget() {
  const [link] = JSON.parse(run('ip', '-n', hosts.right, '-j', '-s', 'link', 'show', 'far'))
  return link.stats64.rx.packets
}

/** The sending host: a process of its own. */
export class Traffic {
  #child
  #ended

  constructor() {
    const script = fileURLToPath(new URL('sender.mjs', import.meta.url))
    const command = ['netns', 'exec', hosts.left, process.execPath, script]
    this.#child = spawn('ip', command, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#ended = once(this.#child, 'exit').then(([code, signal]) => {
      throw new Error(`the sender ended with ${signal ?? code}`)
    })
    // Whoever sends hears of it; nobody need be listening when it is told to end.
    this.#ended.catch(() => undefined)
  }

  /** Sends so many numbered frames and resolves, when all have left, to their number. */
  async send(count) {
    const answer = once(this.#child, 'message')
    this.#child.send({ count })
    const [{ sent }] = await Promise.race([answer, this.#ended])
    return sent
  }

  async end() {
    this.#child.disconnect()
    await this.#ended.catch(() => undefined)
  }
}

function run(command, ...args) {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}

/** The soak's network: two hosts, each behind a veth pair of its own, and this namespace between them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { addNetns, addVeth, deleteNetns, disableIpv6, netnsOf, received } from '../../testkit/network.mjs'

/** Our ends; their other ends, named `far`, are alone in namespaces of these names. */
export const near = { source: 'left', target: 'right' }
const hosts = { left: 'soak-source', right: 'soak-target' }
const farOf = (host) => ({ ...netnsOf(host), name: 'far' })

export function makeNetwork() {
  const here = netnsOf()
  disableIpv6(here)
  for (const [name, host] of Object.entries(hosts)) {
    addNetns(host)
    addVeth({ ...here, name }, farOf(host))
  }
}

export function removeNetwork() {
  for (const host of Object.values(hosts)) deleteNetns(host)
}

/** Frames that the host at the target's end has received since its interface is there. */
export const arrivedAtTarget = () => received(farOf(hosts.right))

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

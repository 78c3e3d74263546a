/** Network namespaces and veth pairs, by iproute2; what a machine with only busybox can do is in both. */
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'

/**
 * A network namespace: the one of this process, or another by its name.
 *
 * @typedef {object} Netns
 * @property {string | undefined} netns Its name, for the `netns` option; undefined is this process's.
 * @property {(command: string, ...args: string[]) => string} run Runs a command in it and returns what that printed.
 * @property {(...args: string[]) => string} ip `ip ...` in it.
 */

/**
 * An interface in a network namespace.
 *
 * @typedef {Netns & { readonly name: string }} Interface
 */

/**
 * @param {string} command
 * @param {string[]} args
 */
export function run(command, ...args) {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/**
 * Of this process where no name is given.
 *
 * @param {string} [netns]
 * @returns {Netns}
 */
export function netnsOf(netns) {
  if (netns === undefined) return { netns, run, ip: (...args) => run('ip', ...args) }
  return {
    netns,
    run: (command, ...args) => run('ip', 'netns', 'exec', netns, command, ...args),
    ip: (...args) => run('ip', '-n', netns, ...args),
  }
}

/**
 * Makes a namespace without IPv6, which would send packets of its own on every interface.
 *
 * @param {string} name
 */
export function addNetns(name) {
  run('ip', 'netns', 'add', name)
  const made = netnsOf(name)
  disableIpv6(made)
  return made
}

/** @param {Netns} where */
export function disableIpv6({ run }) {
  run('sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1')
}

/**
 * Removes a namespace. It is busy as long as a process in it that was killed still ends, hence the attempts.
 *
 * @param {string} name
 */
export function deleteNetns(name) {
  for (let attempt = 1; ; attempt++) {
    try {
      run('ip', 'netns', 'del', name)
      return
    } catch (error) {
      if (attempt === 100) throw error
      pause(50)
    }
  }
}

/**
 * What is not left to the kernel.
 *
 * @typedef {object} VethOptions
 * @property {number | undefined} [mtu]
 * @property {number | undefined} [queues]
 * @property {readonly [a: string, b: string] | undefined} [macs]
 */

/**
 * Makes a veth pair, each end in its namespace, up and carrying frames. It has no addresses: nothing is on the wire but
 * what is sent.
 *
 * @param {Interface} a
 * @param {Interface} b
 * @param {VethOptions} [options]
 */
export function addVeth(a, b, { mtu, queues, macs } = {}) {
  const before = new Set(a.netns === b.netns && a.netns === undefined ? readdirSync('/sys/class/net') : [])
  const counts = queues === undefined ? [] : ['numrxqueues', `${queues}`, 'numtxqueues', `${queues}`]
  const mac = (/** @type {0 | 1} */ end) => (macs === undefined ? [] : ['address', macs[end]])
  const peer = ['peer', 'name', b.name, ...mac(1), ...counts, ...inNetns(a, b)]
  a.ip('link', 'add', a.name, ...mac(0), ...counts, 'type', 'veth', ...peer)
  if (before.size > 0) nameOfPeer(a, b, before)
  for (const end of [a, b]) {
    end.ip('link', 'set', end.name, ...(mtu === undefined ? [] : ['mtu', `${mtu}`]), 'up')
  }
  waitUntilOperating(a, b)
}

/**
 * @param {Interface} a
 * @param {Interface} b
 */
function inNetns(a, b) {
  if (a.netns === b.netns) return []
  if (b.netns === undefined) throw new Error('the second end of a pair cannot be the one in this namespace')
  return ['netns', b.netns]
}

/**
 * busybox does not pass on the name of the peer: the kernel has given it one.
 *
 * @param {Interface} a
 * @param {Interface} b
 * @param {Set<string>} before
 */
function nameOfPeer(a, b, before) {
  const peer = readdirSync('/sys/class/net').find((name) => name !== a.name && !before.has(name))
  if (peer !== undefined && peer !== b.name) b.ip('link', 'set', peer, 'name', b.name)
}

/**
 * Carrier comes by itself, and what follows from it a little later, when a work queue has its turn (linkwatch_event,
 * net/core/link_watch.c). Until then the queueing discipline is noop, which drops frames and says that they are sent.
 *
 * @param {Interface} at
 */
export function operating(at) {
  const link = at.ip('link', 'show', at.name)
  // busybox tells the flag only.
  const carrier = link.includes(' state ') ? link.includes('state UP') : link.includes('LOWER_UP')
  return carrier && !link.includes('qdisc noop ')
}

/**
 * Returns when all of these carry frames, blocking this thread.
 *
 * @param {readonly Interface[]} ends
 */
export function waitUntilOperating(...ends) {
  for (let turn = 0; turn < 1000; turn++) {
    if (ends.every(operating)) return
    pause(5)
  }
  throw new Error(`${ends.map(({ name }) => name).join(' and ')} did not come up`)
}

/**
 * Frames that an interface has received since it is there, by the kernel's own count.
 *
 * @param {Interface} at
 * @returns {number}
 */
export function received(at) {
  return JSON.parse(at.ip('-s', '-j', 'link', 'show', at.name))[0].stats64.rx.packets
}

/** @param {number} milliseconds */
function pause(milliseconds) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

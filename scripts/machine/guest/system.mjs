/** Interfaces and facts of the machine, by busybox and /proc. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export function ip(...args) {
  return execFileSync('ip', args, { encoding: 'utf8' })
}

/** A veth pair with these names, up, and gone after the check. */
export function veth(after, a = 'va', b = 'vb', mtu = 1500) {
  const before = new Set(interfaces())
  ip('link', 'add', a, 'type', 'veth', 'peer', 'name', b)
  after(() => ip('link', 'del', a))
  // busybox does not pass on the name of the peer.
  const peer = interfaces().find((name) => name !== a && !before.has(name))
  if (peer !== b) ip('link', 'set', peer, 'name', b)
  for (const name of [a, b]) ip('link', 'set', name, 'mtu', String(mtu), 'up')
}

function interfaces() {
  return readdirSync('/sys/class/net')
}

/** Bytes a page, from how the kernel describes this process's memory. */
export function pageSize() {
  return Number(/^KernelPageSize:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/smaps', 'utf8'))[1]) * 1024
}

/** Packet sockets of the machine. */
export function packetSockets() {
  return readFileSync('/proc/net/packet', 'utf8').trim().split('\n').length - 1
}

/** Whether an interface takes everything (IFF_PROMISC). */
export function promiscuous(name) {
  return (Number(readFileSync(`/sys/class/net/${name}/flags`, 'utf8')) & 0x100) !== 0
}

/** A process that runs child.mjs and has said that it is ready. */
export async function child(after, ...args) {
  const file = fileURLToPath(new URL('child.mjs', import.meta.url))
  const process_ = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  after(() => process_.kill('SIGKILL'))
  const [said] = await Promise.race([once(process_.stdout, 'data'), once(process_, 'exit').then(() => ['nothing'])])
  if (String(said) !== 'ready') throw new Error(`the child said ${said}`)
  return process_
}

/** Ends a process as the kernel does when memory is short. */
export async function kill(process_) {
  const exit = once(process_, 'exit')
  process_.kill('SIGKILL')
  await exit
}

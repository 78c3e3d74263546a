/** Networks of a test's own: two namespaces and a veth pair between them, gone when the test is over. */
import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'

/** One end of a veth pair. */
export interface End {
  readonly name: string
  /** For the `netns` option. */
  readonly netns: string
  /** Runs a command in the namespace and returns what it printed. */
  readonly run: (command: string, ...args: string[]) => string
  /** `ip ...` in the namespace. */
  readonly ip: (...args: string[]) => string
}

/** A veth pair, each end alone in a namespace. No addresses and no IPv6: nothing is on the wire but what a test sends. */
export interface Network {
  readonly a: End
  readonly b: End
}

let made = 0

function sh(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

function end(name: string, netns: string): End {
  const run = (command: string, ...args: string[]): string => sh('ip', 'netns', 'exec', netns, command, ...args)
  return { name, netns, run, ip: (...args) => sh('ip', '-n', netns, ...args) }
}

export interface NetworkOptions {
  readonly mtu?: number
  readonly queues?: number
}

/** Makes a network and registers its end with the test. */
export function network(t: ExecutionContext, options: NetworkOptions = {}): Network {
  const id = `nr${String(process.pid)}-${String(++made)}`
  const a = end('va', `${id}-a`)
  const b = end('vb', `${id}-b`)
  t.teardown(() => {
    sh('ip', 'netns', 'del', a.netns)
    sh('ip', 'netns', 'del', b.netns)
  })
  for (const { netns, run } of [a, b]) {
    sh('ip', 'netns', 'add', netns)
    run('sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1')
  }
  const queues = String(options.queues ?? 1)
  const counts = ['numrxqueues', queues, 'numtxqueues', queues]
  a.ip('link', 'add', a.name, ...counts, 'type', 'veth', 'peer', 'name', b.name, ...counts, 'netns', b.netns)
  for (const side of [a, b]) {
    if (options.mtu !== undefined) side.ip('link', 'set', side.name, 'mtu', String(options.mtu))
    side.ip('link', 'set', side.name, 'up')
  }
  waitUntilOperating(a, b)
  return { a, b }
}

export function setDown(at: End): void {
  at.ip('link', 'set', at.name, 'down')
}

/** Sets an end up and waits until both can send. */
export async function setUp(at: End, peer: End): Promise<void> {
  at.ip('link', 'set', at.name, 'up')
  for (let turn = 0; turn < 500; turn++) {
    if (operating(at) && operating(peer)) return
    await sleep(10)
  }
  throw notUp(at, peer)
}

/**
 * Carrier comes by itself, and what follows from it a little later, when a work queue has its turn (linkwatch_event,
 * net/core/link_watch.c). Until then the queueing discipline is noop, which drops frames and says that they are sent.
 */
function operating(at: End): boolean {
  const link = at.ip('link', 'show', at.name)
  return link.includes('state UP') && !link.includes('qdisc noop ')
}

/** As in setUp(), blocking this thread. */
function waitUntilOperating(a: End, b: End): void {
  const never = new Int32Array(new SharedArrayBuffer(4))
  for (let turn = 0; turn < 1000; turn++) {
    if (operating(a) && operating(b)) return
    Atomics.wait(never, 0, 0, 5)
  }
  throw notUp(a, b)
}

function notUp(a: End, b: End): Error {
  return new Error(`${a.name} and ${b.name} did not come up`)
}

/** Frames that an interface has received, by the kernel's own count. */
export function received(at: End): number {
  const [link] = JSON.parse(at.ip('-s', '-j', 'link', 'show', at.name)) as [{ stats64: { rx: { packets: number } } }]
  return link.stats64.rx.packets
}

/** Lets bytes out slowly; about 5 frames of 1000 bytes pass at once. */
export function shape(at: End, rate: string): void {
  at.run('tc', 'qdisc', 'add', 'dev', at.name, 'root', 'tbf', 'rate', rate, 'burst', '5kb', 'limit', '200kb')
}

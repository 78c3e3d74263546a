/** Networks of a test's own: two namespaces and a veth pair between them, gone when the test is over. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { addNetns, addVeth, deleteNetns, operating } from '../../testkit/network.mjs'

export { received } from '../../testkit/network.mjs'

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

export interface NetworkOptions {
  readonly mtu?: number
  readonly queues?: number
}

let made = 0

/** Makes a network and registers its end with the test. */
export function network(t: ExecutionContext, { mtu, queues = 1 }: NetworkOptions = {}): Network {
  const id = `nr${String(process.pid)}-${String(++made)}`
  const a = end(t, 'va', `${id}-a`)
  const b = end(t, 'vb', `${id}-b`)
  addVeth(a, b, { mtu, queues })
  return { a, b }
}

function end(t: ExecutionContext, name: string, netns: string): End {
  const { run, ip } = addNetns(netns)
  t.teardown(() => {
    deleteNetns(netns)
  })
  return { name, netns, run, ip }
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
  throw new Error(`${at.name} and ${peer.name} did not come up`)
}

/** Lets bytes out slowly; about 5 frames of 1000 bytes pass at once. */
export function shape(at: End, rate: string): void {
  at.run('tc', 'qdisc', 'add', 'dev', at.name, 'root', 'tbf', 'rate', rate, 'burst', '5kb', 'limit', '200kb')
}

/** Two hosts with a bridge between them: three namespaces, two veth pairs. */
import type { ExecutionContext } from 'ava'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { Bridge, type BridgeDirection, type BridgeOptions, type BridgeStats, type Capture } from '../../src/index.js'
import { network, type End, type NetworkOptions } from './network.js'
import { captureOn, until } from './traffic.js'

export interface Bridged {
  /** The hosts at both ends. */
  readonly a: End
  readonly b: End
  /** The bridge's own interfaces, each in a namespace of its own. */
  readonly left: End
  readonly right: End
}

/** Host a, the bridge's sides, host b. */
export function bridged(t: ExecutionContext, options: NetworkOptions = {}): Bridged {
  const one = network(t, options)
  const other = network(t, options)
  return { a: one.a, left: one.b, right: other.a, b: other.b }
}

/** A bridge between them, closed with the test. */
export function bridgeOn(t: ExecutionContext, { left, right }: Bridged, options: BridgeOptions = {}): Bridge {
  const bridge = Bridge.open(left.name, right.name, {
    ...options,
    a: { ...options.a, netns: left.netns },
    b: { ...options.b, netns: right.netns },
  })
  t.teardown(() => {
    bridge.close()
  })
  return bridge
}

/** What comes in at a host, without what it sends. */
export function listener(t: ExecutionContext, host: End): Capture {
  return captureOn(t, host, { ignoreOutgoing: true, blockCount: 64 })
}

/** Lets it run until the test is over; what ended it, if that was anything else. */
export function running(t: ExecutionContext, bridge: Bridge): { readonly failure: unknown } {
  const state: { failure: unknown } = { failure: undefined }
  const run = bridge.run().catch((error: unknown) => {
    state.failure = error
  })
  t.teardown(async () => {
    bridge.close()
    await run
  })
  return state
}

/** Waits until the counters of a direction say so; the counters then. */
export async function counted(
  bridge: Bridge,
  direction: BridgeDirection,
  holds: (stats: BridgeStats) => boolean,
): Promise<BridgeStats> {
  await until(() => holds(bridge.stats()[direction]))
  return bridge.stats()[direction]
}

/** Without a hook and with one that changes nothing. */
export const engines: readonly (readonly [string, BridgeOptions])[] = [
  ['a native thread', {}],
  ['a hook', { onPacket: () => 'forward' }],
]

/** Received frames that are in none of the other counters: none, ever. */
export function unaccounted(stats: BridgeStats): number {
  const { received, forwarded, dropped, tooLarge, ringFull, rejected, pending } = stats
  return received - forwarded - dropped - tooLarge - ringFull - rejected - pending
}

/** Gives both hosts an address in one network; 10.9.0.1 and 10.9.0.2. */
export function addresses({ a, b }: Bridged): void {
  for (const [host, address] of [
    [a, '10.9.0.1/24'],
    [b, '10.9.0.2/24'],
  ] as const) {
    host.ip('address', 'add', address, 'dev', host.name)
    host.ip('link', 'set', 'lo', 'up')
  }
}

/** Runs a script of Node's in a host; resolves with what it printed, rejects where it fails. */
export async function node(t: ExecutionContext, at: End, script: string, ...args: string[]): Promise<string> {
  const child = start(t, at, script, ...args)
  let printed = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (printed += text))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`ended with ${String(code)}`)
  return printed
}

/** Starts a script of Node's in a host; ended with the test. */
export function start(t: ExecutionContext, at: End, script: string, ...args: string[]): ChildProcess {
  const child = spawn('ip', ['netns', 'exec', at.netns, process.execPath, '-e', script, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => {
    child.kill('SIGKILL')
  })
  return child
}

/** AF_XDP sockets in tests. */
import { execFileSync } from 'node:child_process'
import type { ExecutionContext } from 'ava'
import type { NetringError } from '../../src/index.js'
import { XdpSocket, type XdpOptions } from '../../src/index.js'
import { testThatNeeds } from './needs.js'
import type { End } from './network.js'

/** Bigger than most tests need, and quick to make. */
export const small: XdpOptions = { frameCount: 256 }

/**
 * Loading XDP programs, tried in a namespace of its own, on a queue that its lo does not have: which is found out last.
 * Other tests may be trying at the same time.
 */
const xdp = (): string | undefined => {
  const netns = `nr${process.pid}-xdp`
  execFileSync('ip', ['netns', 'add', netns])
  try {
    XdpSocket.open('lo', { netns, queues: 4095, frameCount: 2, attach: 'skb' }).close()
  } catch (error) {
    const { code, message } = error as NetringError
    if (code !== 'ERR_NETRING_BIND') return `no XDP programs here: ${message}`
  } finally {
    execFileSync('ip', ['netns', 'del', netns])
  }
  return undefined
}

let missing: { readonly reason: string | undefined } | undefined

/** A serial test, skipped by name where this process can load no XDP program. */
export function xdpTest(title: string, body: (t: ExecutionContext) => void | Promise<void>): void {
  testThatNeeds(() => (missing ??= { reason: xdp() }).reason, title, body)
}

/** A socket on one end, closed with the test. */
export function xdpOn(t: ExecutionContext, at: Pick<End, 'name' | 'netns'>, options: XdpOptions = {}): XdpSocket {
  const socket = XdpSocket.open(at.name, { ...options, netns: at.netns })
  t.teardown(() => {
    socket.close()
  })
  return socket
}

/** What `ip link` says of a program on an interface. */
export function programOn(at: End): boolean {
  return /prog\/xdp|xdpgeneric|xdp /.test(at.ip('-d', 'link', 'show', at.name))
}

/** The modes in which veth can have a program. */
export const modes = ['native', 'skb'] as const

/** Interfaces that come and go in tests. */
import type { ExecutionContext } from 'ava'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { PacketSource } from '../../src/index.js'
import type { End } from './network.js'
import { until as untilSo } from './traffic.js'

export const DOWN = 'ERR_NETRING_LINK_DOWN'

export const REMOVED = 'ERR_NETRING_INTERFACE_REMOVED'

export async function until(t: ExecutionContext, what: string, holds: () => boolean): Promise<void> {
  t.true(await untilSo(holds), what)
}

export function remove(end: End): void {
  end.ip('link', 'del', end.name)
}

/** As remove(), with the event loop running meanwhile: JavaScript sees every state that the kernel passes through. */
export async function removeMeanwhile(end: End): Promise<void> {
  await once(spawn('ip', ['-n', end.netns, 'link', 'del', end.name], { stdio: 'inherit' }), 'exit')
}

/** Events in the order in which they come. */
export function eventsOf(capture: PacketSource): string[] {
  const events: string[] = []
  for (const event of ['linkDown', 'linkUp', 'removed', 'close'] as const) capture.on(event, () => events.push(event))
  return events
}

export const soon = (): { readonly signal: AbortSignal } => ({ signal: AbortSignal.timeout(10_000) })

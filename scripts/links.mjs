/** Waiting for the veth pairs of a demo, a soak or a check. */
import { execFileSync } from 'node:child_process'

/**
 * Returns when all links carry frames: until a work queue has had its turn after the carrier came, frames are dropped and reported as
 * sent. Each is `[interface]`, or `[interface, netns]` of another network namespace.
 */
export function waitUntilOperating(links) {
  const never = new Int32Array(new SharedArrayBuffer(4))
  for (let turn = 0; turn < 1000; turn++) {
    const waiting = links.filter(([name, netns]) => {
      const inside = netns === undefined ? [] : ['-n', netns]
      const said = execFileSync('ip', [...inside, 'link', 'show', name], { encoding: 'utf8' })
      return !said.includes('state UP') || said.includes('qdisc noop ')
    })
    if (waiting.length === 0) return
    Atomics.wait(never, 0, 0, 5)
  }
  throw new Error(`${links.map(([name]) => name).join(' and ')} did not come up`)
}

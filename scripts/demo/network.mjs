/** The demo's network: this namespace and a host `peer` behind a veth pair, in a namespace of its own. */
import { execFileSync } from 'node:child_process'

export const us = { interface: 'left', mac: '02:00:00:00:00:01', address: '10.77.0.1' }
export const peer = { netns: 'peer', interface: 'right', mac: '02:00:00:00:00:02', address: '10.77.0.2', port: 7 }

function ip(...args) {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] })
}

export function makeNetwork() {
  ip('netns', 'add', peer.netns)
  ip(
    'link',
    'add',
    us.interface,
    'address',
    us.mac,
    'type',
    'veth',
    'peer',
    'name',
    peer.interface,
    'address',
    peer.mac,
    'netns',
    peer.netns,
  )
  ip('address', 'add', `${us.address}/24`, 'dev', us.interface)
  ip('-n', peer.netns, 'address', 'add', `${peer.address}/24`, 'dev', peer.interface)
  ip('-n', peer.netns, 'link', 'set', peer.interface, 'up')
  ip('link', 'set', us.interface, 'up')
  waitUntilOperating()
}

/** Until a work queue has had its turn after the carrier came, frames are dropped and reported as sent. */
function waitUntilOperating() {
  const never = new Int32Array(new SharedArrayBuffer(4))
  for (let turn = 0; turn < 1000; turn++) {
    const links = [
      ['link', 'show', us.interface],
      ['-n', peer.netns, 'link', 'show', peer.interface],
    ]
    const said = links.map((args) => execFileSync('ip', args, { encoding: 'utf8' }))
    if (said.every((text) => text.includes('state UP') && !text.includes('qdisc noop '))) return
    Atomics.wait(never, 0, 0, 5)
  }
  throw new Error(`${us.interface} did not come up`)
}

export function removeNetwork() {
  ip('link', 'del', us.interface)
  ip('netns', 'del', peer.netns)
}

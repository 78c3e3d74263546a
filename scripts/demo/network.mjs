/** The demo's network: this namespace and a host `peer` behind a veth pair, in a namespace of its own. */
import { execFileSync } from 'node:child_process'
import { waitUntilOperating } from '../links.mjs'

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
  waitUntilOperating([[us.interface], [peer.interface, peer.netns]])
}

export function removeNetwork() {
  ip('link', 'del', us.interface)
  ip('netns', 'del', peer.netns)
}

/** The demo's network: this namespace and a host `peer` behind a veth pair, in a namespace of its own. */
import { addNetns, addVeth, deleteNetns, netnsOf } from '../../testkit/network.mjs'

export const us = { interface: 'left', mac: '02:00:00:00:00:01', address: '10.77.0.1' }
export const peer = { netns: 'peer', interface: 'right', mac: '02:00:00:00:00:02', address: '10.77.0.2', port: 7 }

const here = { ...netnsOf(), name: us.interface }

export function makeNetwork() {
  const there = { ...addNetns(peer.netns), name: peer.interface }
  addVeth(here, there, { macs: [us.mac, peer.mac] })
  here.ip('address', 'add', `${us.address}/24`, 'dev', us.interface)
  there.ip('address', 'add', `${peer.address}/24`, 'dev', peer.interface)
}

export function removeNetwork() {
  here.ip('link', 'del', us.interface)
  deleteNetns(peer.netns)
}

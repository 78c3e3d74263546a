/** Frames for the demo's Injectors to send, between its two hosts. */
import { arp, echo, ethernetBetween, ipv4, udp } from '../../testkit/headers.mjs'

const addresses = ({ from, to }) => ({ source: from.address, destination: to.address })

/** An ICMP echo request; with `tci` in a VLAN. */
export function echoRequest({ from, to, sequence, tci }) {
  const packet = ipv4(1, echo(8, sequence, Buffer.from('netring says hello')), addresses({ from, to }))
  return ethernetBetween(from.mac, to.mac, 0x0800, packet, ...(tci === undefined ? [] : [[0x8100, tci]]))
}

/** An ARP question: who has `to`? */
export function arpRequest({ from, to }) {
  return ethernetBetween(from.mac, 'ff:ff:ff:ff:ff:ff', 0x0806, arp(1, from, { address: to.address }))
}

/** A UDP packet to the discard port, of `length` bytes in all. */
export function discarded({ from, to, length }) {
  return ethernetBetween(
    from.mac,
    to.mac,
    0x0800,
    ipv4(17, udp(9, 9, Buffer.alloc(length - 42)), addresses({ from, to })),
  )
}

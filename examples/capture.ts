/**
 * Capturing: a line a packet, as tcpdump prints them.
 *
 *     npm run example capture -- INTERFACE [--count N] [--seconds N]
 *
 * packet.parse() reads the headers; a packet's data is a view onto the kernel's ring, valid until the next turn of the loop.
 */
import { Capture, type ParsedPacket } from 'netring'
import { cli } from './lib/cli.ts'

const {
  names: [name],
  options: { count },
  signal,
} = cli(['INTERFACE'], { count: Infinity })

function describe({ link, vlans, arp, ip, tcp, udp, icmp, payload, error }: ParsedPacket): string {
  const tags = vlans.map(({ id }) => `vlan ${id} `).join('')
  if (error) return `${tags}${error.layer}: ${error.message}`
  if (arp)
    return `${tags}ARP ${arp.operation === 1 ? 'who has' : 'reply to'} ${arp.targetAddress}, from ${arp.senderAddress}`
  if (!ip) return `${tags}ethertype 0x${(link?.etherType ?? 0).toString(16).padStart(4, '0')} from ${link?.source}`
  const host = (address: string): string => (ip.version === 6 ? `[${address}]` : address)
  const way = (from = '', to = ''): string => `${tags}${host(ip.source)}${from} > ${host(ip.destination)}${to}`
  if (tcp)
    return `${way(`:${tcp.sourcePort}`, `:${tcp.destinationPort}`)} TCP ${flags(tcp.flags)}, ${payload.length} bytes`
  if (udp) return `${way(`:${udp.sourcePort}`, `:${udp.destinationPort}`)} UDP, ${payload.length} bytes`
  if (icmp) return `${way()} ICMP type ${icmp.type} code ${icmp.code}, ${payload.length} bytes`
  return `${way()} IP protocol ${ip.protocol}, ${payload.length} bytes`
}

function flags(bits: number): string {
  return ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'].filter((_, bit) => bits & (1 << bit)).join('+')
}

using capture = Capture.open(name, { promiscuous: true })
try {
  for await (const packet of capture.packetsAsync({ count, signal })) {
    const time = new Date(packet.seconds * 1000).toISOString().slice(11, 19)
    const micros = String(Math.trunc(packet.nanoseconds / 1000)).padStart(6, '0')
    console.log(`${time}.${micros} ${packet.direction} ${describe(packet.parse())}`)
  }
} catch (error) {
  if (!signal.aborted) throw error
}
const { packets, drops } = capture.cumulativeStats()
console.log(`${packets} packets received, ${drops} dropped`)

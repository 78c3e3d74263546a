/** One line a packet, as tcpdump prints it: enough of each protocol for the demo. */

function time({ seconds, nanoseconds }) {
  const clock = new Date(seconds * 1000).toTimeString().slice(0, 8)
  return `${clock}.${String(Math.trunc(nanoseconds / 1000)).padStart(6, '0')}`
}

function arpText({ operation, senderHardware, senderAddress, targetAddress }) {
  return operation === 1
    ? `ARP, Request who-has ${targetAddress} tell ${senderAddress}`
    : `ARP, Reply ${senderAddress} is-at ${senderHardware}`
}

const flagNames = [
  [0x02, 'S'],
  [0x01, 'F'],
  [0x04, 'R'],
  [0x08, 'P'],
  [0x10, '.'],
]

function tcpText({ flags, sequence, acknowledgment }, payload) {
  const names = flagNames.flatMap(([bit, name]) => (flags & bit ? [name] : [])).join('')
  const text = payload.length > 0 ? `: ${JSON.stringify(payload.toString('latin1').slice(0, 32))}` : ''
  return `Flags [${names}], seq ${sequence}, ack ${acknowledgment}, length ${payload.length}${text}`
}

const echoes = { 8: 'echo request', 0: 'echo reply' }

function ipText({ ip, tcp, udp, icmp, payload }) {
  const name = ip.version === 4 ? 'IP' : 'IP6'
  const ports = tcp ?? udp
  if (ports === undefined) {
    const what =
      icmp === undefined
        ? `protocol ${ip.protocol}`
        : `ICMP ${echoes[icmp.type] ?? `type ${icmp.type}`}, seq ${icmp.sequence}`
    return `${name} ${ip.source} > ${ip.destination}: ${what}, length ${payload.length}`
  }
  const what = tcp === undefined ? `UDP, length ${payload.length}` : tcpText(tcp, payload)
  return `${name} ${ip.source}.${ports.sourcePort} > ${ip.destination}.${ports.destinationPort}: ${what}`
}

export function format(packet) {
  const parsed = packet.parse()
  const way = packet.direction === 'outgoing' ? 'Out' : 'In '
  const tags = parsed.vlans.map(({ id, priority }) => `vlan ${id}, p ${priority}, `).join('')
  const type = parsed.link?.etherType.toString(16).padStart(4, '0')
  const what = parsed.arp
    ? arpText(parsed.arp)
    : parsed.ip
      ? ipText(parsed)
      : `ethertype 0x${type}, length ${packet.length}`
  return `${time(packet)} ${way} ${tags}${what}`
}

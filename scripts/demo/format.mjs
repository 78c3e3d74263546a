/** One line a packet, as `tcpdump -e`-less tcpdump prints it: enough of each protocol for the demo. */

const dotted = (bytes, at) => bytes.subarray(at, at + 4).join('.')

function time(packet) {
  const date = new Date(packet.seconds * 1000)
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':')
  return `${clock}.${String(Math.trunc(packet.nanoseconds / 1000)).padStart(6, '0')}`
}

function arp(bytes, at) {
  if (bytes.readUInt16BE(at + 6) === 1)
    return `ARP, Request who-has ${dotted(bytes, at + 24)} tell ${dotted(bytes, at + 14)}`
  const mac = bytes
    .subarray(at + 8, at + 14)
    .toString('hex')
    .match(/../g)
    .join(':')
  return `ARP, Reply ${dotted(bytes, at + 14)} is-at ${mac}`
}

const flagNames = [
  [0x02, 'S'],
  [0x01, 'F'],
  [0x04, 'R'],
  [0x08, 'P'],
  [0x10, '.'],
]

function tcp(bytes, at, end) {
  const flags = flagNames
    .filter(([bit]) => bytes[at + 13] & bit)
    .map(([, name]) => name)
    .join('')
  const length = end - at - (bytes[at + 12] >> 4) * 4
  const text = length > 0 ? `: ${JSON.stringify(bytes.toString('latin1', end - length, end).slice(0, 32))}` : ''
  return `Flags [${flags}], seq ${bytes.readUInt32BE(at + 4)}, ack ${bytes.readUInt32BE(at + 8)}, length ${length}${text}`
}

function ipv4(bytes, at) {
  const header = (bytes[at] & 15) * 4
  const end = at + bytes.readUInt16BE(at + 2)
  const [from, to, inner] = [dotted(bytes, at + 12), dotted(bytes, at + 16), at + header]
  const ports = () => `IP ${from}.${bytes.readUInt16BE(inner)} > ${to}.${bytes.readUInt16BE(inner + 2)}: `
  switch (bytes[at + 9]) {
    case 1:
      return `IP ${from} > ${to}: ICMP echo ${bytes[inner] === 8 ? 'request' : 'reply'}, seq ${bytes.readUInt16BE(inner + 6)}, length ${end - inner}`
    case 6:
      return ports() + tcp(bytes, inner, end)
    case 17:
      return `${ports()}UDP, length ${bytes.readUInt16BE(inner + 4) - 8}`
    default:
      return `IP ${from} > ${to}: protocol ${bytes[at + 9]}, length ${end - at}`
  }
}

function network(bytes, etherType, at) {
  switch (etherType) {
    case 0x0800:
      return ipv4(bytes, at)
    case 0x0806:
      return arp(bytes, at)
    case 0x8100:
    case 0x88a8: {
      const tci = bytes.readUInt16BE(at)
      return `vlan ${tci & 0xfff}, p ${tci >> 13}, ${network(bytes, bytes.readUInt16BE(at + 2), at + 4)}`
    }
    case 0x86dd:
      return `IP6, next header ${bytes[at + 6]}, length ${bytes.readUInt16BE(at + 4)}`
    default:
      return `ethertype 0x${etherType.toString(16).padStart(4, '0')}, length ${bytes.length}`
  }
}

export function format(packet) {
  const bytes = packet.data
  const way = packet.direction === 'outgoing' ? 'Out' : 'In '
  return `${time(packet)} ${way} ${network(bytes, bytes.readUInt16BE(12), 14)}`
}

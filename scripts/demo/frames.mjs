/** Frames for the Injector to send. */

const mac = (text) => Buffer.from(text.replaceAll(':', ''), 'hex')
const address = (text) => Buffer.from(text.split('.').map(Number))

function checksum(bytes) {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at] << 8) | (bytes[at + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

function ethernet(from, to, etherType, payload, tag) {
  const head = Buffer.concat([mac(to.mac), mac(from.mac)])
  const type = Buffer.from([etherType >> 8, etherType & 0xff])
  return Buffer.concat([
    head,
    ...(tag === undefined ? [] : [Buffer.from([0x81, 0x00, tag >> 8, tag & 0xff])]),
    type,
    payload,
  ])
}

function ipv4(from, to, protocol, payload) {
  const head = Buffer.alloc(20)
  head.writeUInt16BE(0x4500, 0)
  head.writeUInt16BE(20 + payload.length, 2)
  head[8] = 64
  head[9] = protocol
  address(from.address).copy(head, 12)
  address(to.address).copy(head, 16)
  head.writeUInt16BE(checksum(head), 10)
  return Buffer.concat([head, payload])
}

/** An ICMP echo request. */
export function echoRequest({ from, to, sequence, tag }) {
  const icmp = Buffer.concat([Buffer.from([8, 0, 0, 0, 0x4e, 0x52, 0, sequence]), Buffer.from('netring says hello')])
  icmp.writeUInt16BE(checksum(icmp), 2)
  return ethernet(from, to, 0x0800, ipv4(from, to, 1, icmp), tag)
}

/** An ARP question: who has `to`? */
export function arpRequest({ from, to }) {
  const arp = Buffer.concat([
    Buffer.from('0001080006040001', 'hex'),
    mac(from.mac),
    address(from.address),
    Buffer.alloc(6),
    address(to.address),
  ])
  return ethernet(from, { mac: 'ff:ff:ff:ff:ff:ff' }, 0x0806, arp)
}

/** A UDP packet of `length` bytes in all, without a UDP checksum. */
export function udpFrame({ from, to, sourcePort, destinationPort, length }) {
  const udp = Buffer.alloc(length - 34)
  udp.writeUInt16BE(sourcePort, 0)
  udp.writeUInt16BE(destinationPort, 2)
  udp.writeUInt16BE(udp.length, 4)
  return ethernet(from, to, 0x0800, ipv4(from, to, 17, udp))
}

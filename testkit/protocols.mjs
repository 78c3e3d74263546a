/** Frames of many protocols, for what parses them. */
import { arp, echo, ethernet, fromHex, ipv4, ipv6, join, source, tcp, u16, udp } from './headers.mjs'

const v6Source = '20010db8 00000000 00000000 00000001'
const v6Destination = 'fe800000 00000000 0202b3ff fe1e8329'
const text = Buffer.from('netring: what the headers carry')
const datagram = udp(40_000, 9999, text)
const query = fromHex('1234 0100 0001 0000 0000 0000 076e657472696e67 076578616d706c65 00 0001 0001')
/** @param {number} operation */
const arpOf = (operation) => arp(operation, { mac: source, address: '192.0.2.1' }, { address: '198.51.100.2' })
/** @param {number} type */
const echoOf = (type) => echo(type, 7, text)
const unreachable = join(fromHex('0301 0000 00000000'), ipv4(17, datagram))
/** @param {number} next */
const hopByHop = (next) => join(Buffer.from([next]), fromHex('00 05020000 0100'))
/** @param {number} next */
const routing = (next) => join(Buffer.from([next]), fromHex('02 0400 00000000'), fromHex(v6Source))
/**
 * @param {number} next
 * @param {number} word
 */
const fragment = (next, word) => join(Buffer.from([next, 0]), u16(word), fromHex('0a0b0c0d'))
/** @param {number} next */
const options6 = (next) => join(Buffer.from([next]), fromHex('00 0104 00000000'))
/** @param {number} next */
const authentication = (next) => join(Buffer.from([next]), fromHex('04 0000 00000100 00000001'), Buffer.alloc(12, 9))
const synOptions = '020405b4 0402 080a0000000100000000 01 030307'

/**
 * A frame of every kind, and none that is wrong. Names are for messages.
 *
 * @type {Readonly<Record<string, Buffer>>}
 */
export const protocols = {
  'ARP request': ethernet(0x0806, arpOf(1)),
  'ARP reply, padded': ethernet(0x0806, join(arpOf(2), Buffer.alloc(18))),
  'ARP, tagged': ethernet(0x0806, arpOf(1), [0x8100, 0x0ffe]),
  UDP: ethernet(0x0800, ipv4(17, datagram)),
  'UDP without payload, padded': ethernet(0x0800, join(ipv4(17, udp(1, 2, Buffer.alloc(0))), Buffer.alloc(18))),
  DNS: ethernet(0x0800, ipv4(17, udp(5353 + 10_000, 53, query))),
  'UDP with code point and congestion': ethernet(0x0800, ipv4(17, datagram, { tos: 0xb9 })),
  'IPv4 options': ethernet(0x0800, ipv4(17, datagram, { options: '94040000 01010100' })),
  'IPv4 do not fragment': ethernet(0x0800, ipv4(17, datagram, { flags: 0x4000 })),
  'IPv4 first fragment': ethernet(0x0800, ipv4(17, datagram, { flags: 0x2000 })),
  'IPv4 middle fragment': ethernet(0x0800, ipv4(17, text, { flags: 0x2064 })),
  'IPv4 last fragment': ethernet(0x0800, ipv4(6, text, { flags: 0x00c8 })),
  'TCP SYN': ethernet(0x0800, ipv4(6, tcp(0x002, synOptions, Buffer.alloc(0)))),
  'TCP data': ethernet(0x0800, ipv4(6, tcp(0x018, '0101080a0000000100000002', text))),
  'TCP with all flags': ethernet(0x0800, ipv4(6, tcp(0x1ff, '', text))),
  'TCP selective acknowledgment': ethernet(0x0800, ipv4(6, tcp(0x010, '0101050a0000000100000002', Buffer.alloc(0)))),
  'TCP unknown option and end of list': ethernet(0x0800, ipv4(6, tcp(0x010, 'fd06f989 0102 0000', text))),
  'TCP with forty bytes of options': ethernet(0x0800, ipv4(6, tcp(0x010, '01'.repeat(40), text))),
  'ICMP echo request': ethernet(0x0800, ipv4(1, echoOf(8))),
  'ICMP echo reply': ethernet(0x0800, ipv4(1, echoOf(0))),
  'ICMP unreachable': ethernet(0x0800, ipv4(1, unreachable)),
  'ICMP fragmentation needed': ethernet(
    0x0800,
    ipv4(1, join(fromHex('0304 0000 000005dc'), ipv4(6, tcp(2, '', text)))),
  ),
  'ICMP time exceeded': ethernet(0x0800, ipv4(1, join(fromHex('0b00 0000 00000000'), ipv4(17, datagram)))),
  'ICMP timestamp': ethernet(0x0800, ipv4(1, join(fromHex('0d00 0000 0005 0006'), Buffer.alloc(12, 1)))),
  'ICMP address mask': ethernet(0x0800, ipv4(1, fromHex('1100 0000 0005 0006 00000000'))),
  'ICMP redirect': ethernet(0x0800, ipv4(1, join(fromHex('0501 0000 c0000203'), ipv4(17, datagram)))),
  IGMP: ethernet(0x0800, ipv4(2, fromHex('1600 0000 e0000009'), { options: '94040000' })),
  GRE: ethernet(0x0800, ipv4(47, join(fromHex('0000 0800'), ipv4(17, datagram)))),
  SCTP: ethernet(0x0800, ipv4(132, fromHex('9c40 270f 00000001 00000000 0a00 0004'))),
  'IP in IP': ethernet(0x0800, ipv4(4, ipv4(17, datagram))),
  'VXLAN, as UDP': ethernet(
    0x0800,
    ipv4(17, udp(40_000, 4789, join(fromHex('08000000 00002a00'), ethernet(0x0800, ipv4(17, datagram))))),
  ),
  'authentication header': ethernet(0x0800, ipv4(51, join(authentication(17), datagram))),
  ESP: ethernet(0x0800, ipv4(50, join(fromHex('00000100 00000001'), Buffer.alloc(24, 7)))),
  'UDP over IPv6': ethernet(0x86dd, ipv6(17, datagram)),
  'TCP over IPv6': ethernet(0x86dd, ipv6(6, tcp(0x012, synOptions, Buffer.alloc(0)))),
  'mapped and unspecified addresses': ethernet(
    0x86dd,
    ipv6(17, datagram, {
      source: '00000000 00000000 0000ffff c0000201',
      destination: '00000000 00000000 00000000 00000000',
    }),
  ),
  'addresses with two runs of zeros': ethernet(
    0x86dd,
    ipv6(17, datagram, {
      source: '20010000 00000001 00000000 00000001',
      destination: '20010db8 00000001 00010001 00010001',
    }),
  ),
  'loopback and multicast addresses': ethernet(
    0x86dd,
    ipv6(17, datagram, {
      source: '00000000 00000000 00000000 00000001',
      destination: 'ff020000 00000000 00000000 00010000',
    }),
  ),
  'compatible address': ethernet(
    0x86dd,
    ipv6(17, datagram, {
      source: '00000000 00000000 00000000 c0000201',
      destination: '0064ff9b 00000000 00000000 c0000201',
    }),
  ),
  'ICMPv6 echo request': ethernet(0x86dd, ipv6(58, echoOf(128))),
  'ICMPv6 echo reply': ethernet(0x86dd, ipv6(58, echoOf(129))),
  'ICMPv6 unreachable': ethernet(0x86dd, ipv6(58, join(fromHex('0104 0000 00000000'), ipv6(17, datagram)))),
  'ICMPv6 too big': ethernet(0x86dd, ipv6(58, join(fromHex('0200 0000 00000500'), ipv6(17, datagram)))),
  'ICMPv6 neighbour solicitation': ethernet(
    0x86dd,
    ipv6(58, join(fromHex('8700 0000 00000000'), fromHex(v6Destination), fromHex('0101 020000000001'))),
  ),
  'IPv6 hop-by-hop': ethernet(0x86dd, ipv6(0, join(hopByHop(58), fromHex('8f00 0000 00000000')))),
  'IPv6 routing': ethernet(0x86dd, ipv6(43, join(routing(17), datagram))),
  'IPv6 destination options': ethernet(0x86dd, ipv6(60, join(options6(6), tcp(0x018, '', text)))),
  'IPv6 all extensions': ethernet(
    0x86dd,
    ipv6(0, join(hopByHop(60), options6(43), routing(51), authentication(60), options6(17), datagram)),
  ),
  'IPv6 extensions behind the first 128 bytes': ethernet(
    0x86dd,
    ipv6(60, join(fromHex('3c0f 0124'), Buffer.alloc(124), fromHex('110f 0124'), Buffer.alloc(124), datagram)),
  ),
  'IPv6 first fragment': ethernet(0x86dd, ipv6(44, join(fragment(17, 0x0001), datagram))),
  'IPv6 last fragment': ethernet(0x86dd, ipv6(44, join(fragment(17, 0x05a8), text))),
  'IPv6 hop-by-hop and fragment': ethernet(0x86dd, ipv6(0, join(hopByHop(44), fragment(6, 0x0101), text))),
  'IPv6 no next header': ethernet(0x86dd, ipv6(59, Buffer.alloc(0))),
  VLAN: ethernet(0x0800, ipv4(17, datagram), [0x8100, 0x7005]),
  'VLAN priority only': ethernet(0x86dd, ipv6(17, datagram), [0x8100, 0xe000]),
  QinQ: ethernet(0x0800, ipv4(6, tcp(0x018, '', text)), [0x88a8, 0x3064], [0x8100, 0xb0c8]),
  'VLAN in VLAN in VLAN': ethernet(0x0800, ipv4(17, datagram), [0x8100, 1], [0x8100, 2], [0x8100, 3]),
  MPLS: ethernet(0x8847, join(fromHex('00010140'), ipv4(17, datagram))),
  'unknown ethertype': ethernet(0x88b5, text),
  LLDP: ethernet(0x88cc, fromHex('0207 04 020000000001 0404 05 657468 0602 0078 0000')),
  STP: ethernet(
    38,
    join(
      fromHex('4242 03 0000 00 00 00 8000020000000001 00000000 8000020000000001 8001 0000 1400 0200 0f00'),
      Buffer.alloc(8),
    ),
  ),
  'LLC, tagged': ethernet(35, join(fromHex('4242 03'), Buffer.alloc(32, 1)), [0x8100, 9]),
  'a jumbo frame': ethernet(0x0800, ipv4(17, udp(40_000, 9999, Buffer.alloc(8900, 0x6e)))),
}

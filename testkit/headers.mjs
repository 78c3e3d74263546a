/** Headers of Ethernet, IP and what it carries, by hand: lengths are right, and the checksums of IPv4 and ICMP. */
import { checksum } from './checksum.mjs'

/**
 * Bytes of hexadecimal text; blanks and colons are left out.
 *
 * @param {string} text
 */
export const fromHex = (text) => Buffer.from(text.replaceAll(/[\s:]/g, ''), 'hex')

/** @param {readonly Uint8Array[]} parts */
export const join = (...parts) => Buffer.concat(parts)

/** @param {number} value */
export const u16 = (value) => Buffer.from([value >>> 8, value & 0xff])

/** @param {number} value */
export const u32 = (value) => join(u16(value >>> 16), u16(value & 0xffff))

/** @param {string} address */
const dotted = (address) => Buffer.from(address.split('.').map(Number))

/** What a frame comes from and goes to where nothing else is said. */
export const source = '02:00:00:00:00:01'
export const destination = '02:00:00:00:00:02'

/**
 * Ethernet between those two, with VLAN tags from the outermost in.
 *
 * @param {number} etherType
 * @param {Uint8Array} payload
 * @param {readonly (readonly [tpid: number, tci: number])[]} tags
 */
export function ethernet(etherType, payload, ...tags) {
  return ethernetBetween(source, destination, etherType, payload, ...tags)
}

/**
 * Ethernet between two MAC addresses.
 *
 * @param {string} from
 * @param {string} to
 * @param {number} etherType
 * @param {Uint8Array} payload
 * @param {readonly (readonly [tpid: number, tci: number])[]} tags
 */
export function ethernetBetween(from, to, etherType, payload, ...tags) {
  const tagBytes = tags.flatMap(([tpid, tci]) => [u16(tpid), u16(tci)])
  return join(fromHex(to), fromHex(from), ...tagBytes, u16(etherType), payload)
}

/**
 * ARP over Ethernet and IPv4. 1 asks for the target's MAC address, which is left empty; 2 answers.
 *
 * @param {number} operation
 * @param {{ readonly mac: string, readonly address: string }} sender
 * @param {{ readonly mac?: string, readonly address: string }} target
 */
export function arp(operation, sender, target) {
  const who = join(fromHex(sender.mac), dotted(sender.address))
  const whom = join(target.mac === undefined ? Buffer.alloc(6) : fromHex(target.mac), dotted(target.address))
  return join(fromHex('0001 0800 06 04'), u16(operation), who, whom)
}

/**
 * What differs from a plain IPv4 header: options in hexadecimal; `flags` is the word of flags and fragment offset.
 *
 * @typedef {object} Ipv4
 * @property {string} [options]
 * @property {number} [flags]
 * @property {number} [tos]
 * @property {number} [length]
 * @property {string} [source]
 * @property {string} [destination]
 */

/**
 * An IPv4 packet.
 *
 * @param {number} protocol
 * @param {Uint8Array} payload
 * @param {Ipv4} [differing]
 */
export function ipv4(protocol, payload, differing = {}) {
  const { options = '', flags = 0, tos = 0, source = '192.0.2.1', destination = '198.51.100.2' } = differing
  const extra = fromHex(options)
  const size = 20 + extra.length
  const length = u16(differing.length ?? size + payload.length)
  const start = join(Buffer.from([0x40 + size / 4, tos]), length, u16(0x1234), u16(flags))
  const head = join(start, Buffer.from([63, protocol]), u16(0), dotted(source), dotted(destination), extra)
  head.writeUInt16BE(checksum(head), 10)
  return join(head, payload)
}

const ipv6Addresses = {
  source: '20010db8 00000000 00000000 00000001',
  destination: 'fe800000 00000000 0202b3ff fe1e8329',
}

/**
 * An IPv6 packet whose first next header is `next`; addresses are in hexadecimal.
 *
 * @param {number} next
 * @param {Uint8Array} payload
 * @param {{ readonly source: string, readonly destination: string }} [addresses]
 */
export function ipv6(next, payload, { source, destination } = ipv6Addresses) {
  const start = join(fromHex('6ab54321'), u16(payload.length), Buffer.from([next, 61]))
  return join(start, fromHex(source), fromHex(destination), payload)
}

/**
 * UDP without a checksum, which over IPv4 it need not have.
 *
 * @param {number} sourcePort
 * @param {number} destinationPort
 * @param {Uint8Array} payload
 * @param {number} [length]
 */
export function udp(sourcePort, destinationPort, payload, length = payload.length + 8) {
  return join(u16(sourcePort), u16(destinationPort), u16(length), u16(0), payload)
}

/**
 * TCP from port 50000 to 7777, without a checksum; options are in hexadecimal.
 *
 * @param {number} flags
 * @param {string} options
 * @param {Uint8Array} payload
 */
export function tcp(flags, options, payload) {
  const extra = fromHex(options)
  const head = join(u16(50_000), u16(7777), u32(0xdeadbeef), u32(0x01020304))
  return join(head, u16((((20 + extra.length) / 4) << 12) | flags), u16(0xfaf0), u16(0), u16(0), extra, payload)
}

/**
 * An ICMP echo request (8) or reply (0).
 *
 * @param {number} type
 * @param {number} sequence
 * @param {Uint8Array} payload
 */
export function echo(type, sequence, payload) {
  const message = join(Buffer.from([type, 0]), u16(0), u16(0x4e52), u16(sequence), payload)
  message.writeUInt16BE(checksum(message), 2)
  return message
}

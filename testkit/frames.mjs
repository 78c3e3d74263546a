/** Frames to send, each recognised by its number. */
import { destination, ethernet, fromHex, ipv4, source, u16, udp as datagram } from './headers.mjs'

/** Local experimental ethertype (IEEE 802): nothing on a host answers to it. */
export const ETHERTYPE = 0x88b5

const HEADER = fromHex(destination + source)
/** Behind the Ethernet header. */
const NUMBER = 14

/**
 * A frame of `length` bytes (14 or more) with its number behind the header, as far as there is room. Every byte of the rest
 * follows from number and place.
 *
 * @param {number} length
 * @param {number} [number]
 */
export function frame(length, number = 0) {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at++) bytes[at] = bodyByte(at, number)
  HEADER.copy(bytes)
  bytes.writeUInt16BE(ETHERTYPE, 12)
  if (length >= NUMBER + 4) bytes.writeUInt32BE(number, NUMBER)
  return bytes
}

/**
 * @param {number} at
 * @param {number} number
 */
const bodyByte = (at, number) => (at * 7 + number) & 0xff

/**
 * The number of a frame that frame() made.
 *
 * @param {Buffer} data
 */
export function numberOf(data) {
  return data.readUInt32BE(NUMBER)
}

/**
 * What is wrong with bytes that should be frame(length, number), or undefined. Looks at the length, the number and both ends
 * of the rest, which is enough where millions come.
 *
 * @param {Buffer} data
 * @param {number} length
 * @param {number} number
 */
export function frameFault(data, length, number) {
  const [first, last] = [NUMBER + 4, length - 1]
  const wanted = [length, number, bodyByte(first, number), bodyByte(last, number)].join()
  const is = [data.length, numberOf(data), data[first], data[last]].join()
  return is === wanted ? undefined : `frame ${number} has length, number and two bytes ${is}, not ${wanted}`
}

/**
 * A frame with VLAN tags, outermost first.
 *
 * @param {number} length
 * @param {readonly { readonly tpid: number, readonly tci: number }[]} tags
 */
export function tagged(length, ...tags) {
  const plain = frame(length)
  const tagBytes = tags.flatMap(({ tpid, tci }) => [u16(tpid), u16(tci)])
  return Buffer.concat([plain.subarray(0, 12), ...tagBytes, plain.subarray(12)])
}

export const outer = { tpid: 0x88a8, tci: 0x6001 }

export const inner = { tpid: 0x8100, tci: 0x2fff }

/**
 * A UDP packet over IPv4 between two ports and hosts, for what hashes or filters flows.
 *
 * @param {number} sourcePort
 * @param {number} destinationPort
 * @param {string} payload
 * @param {boolean} [reverse] the other way
 */
export function udp(sourcePort, destinationPort, payload, reverse = false) {
  const [from, to] = ['10.0.0.1', '10.0.0.2']
  const addresses = reverse ? { source: to, destination: from } : { source: from, destination: to }
  const ports = reverse ? [destinationPort, sourcePort] : [sourcePort, destinationPort]
  return ethernet(0x0800, ipv4(17, datagram(ports[0] ?? 0, ports[1] ?? 0, Buffer.from(payload)), addresses))
}

/** Frames of every kind: the smallest, a full one, jumbo, tagged. */
export function everyKind() {
  const sizes = [14, 15, 60, 61, 1500, 1514, 9000, 9014, 65_000]
  return [
    ...sizes.map((size, number) => frame(size, number)),
    tagged(60, inner),
    tagged(1500, inner),
    tagged(60, outer, inner),
    tagged(9000, outer, inner),
  ]
}

/**
 * `count` frames of lengths from 60 on, the shortest and the longest among them, with numbers from `from` on.
 *
 * @param {number} count
 * @param {number} [longest]
 * @param {number} [from]
 */
export function mixedLengths(count, longest = 1514, from = 0) {
  const span = longest - 60
  return upTo(count).map((index) => frame(60 + (index === 1 ? span : (index * 7919) % (span + 1)), from + index))
}

/** @param {readonly Uint8Array[]} frames */
export const hex = (frames) => frames.map((bytes) => Buffer.from(bytes).toString('hex'))

/** @param {number} count */
export const upTo = (count) => Array.from({ length: count }, (_, number) => number)

/** @param {readonly { readonly data: Buffer }[]} packets */
export const numbers = (packets) => packets.map(({ data }) => numberOf(data))

/**
 * `count` frames of 60 bytes with numbers from `from` on.
 *
 * @param {number} count
 * @param {number} [from]
 */
export const numbered = (count, from = 0) => upTo(count).map((number) => frame(60, from + number))

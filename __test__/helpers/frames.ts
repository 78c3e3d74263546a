/** Frames to send, each recognisable by its number. */

/** Local experimental ethertype (IEEE 802): nothing on a host answers to it. */
export const ETHERTYPE = 0x88b5

const destination = '020000000002'
const source = '020000000001'

/** A frame of `length` bytes (14 or more) with its number behind the header, as far as there is room. */
export function frame(length: number, number = 0): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at++) bytes[at] = (at * 7 + number) & 0xff
  bytes.write(destination + source, 0, 'hex')
  bytes.writeUInt16BE(ETHERTYPE, 12)
  if (length >= 18) bytes.writeUInt32BE(number, 14)
  return bytes
}

/** The number of a frame that frame() made. */
export function numberOf(data: Buffer): number {
  return data.readUInt32BE(14)
}

/** A frame with VLAN tags, outermost first. */
export function tagged(length: number, ...tags: readonly { readonly tpid: number; readonly tci: number }[]): Buffer {
  const plain = frame(length)
  const head = Buffer.concat(
    tags.map(({ tpid, tci }) => {
      const tag = Buffer.alloc(4)
      tag.writeUInt16BE(tpid, 0)
      tag.writeUInt16BE(tci, 2)
      return tag
    }),
  )
  return Buffer.concat([plain.subarray(0, 12), head, plain.subarray(12)])
}

/** A UDP packet over IPv4 between two ports and hosts, for what hashes or filters flows. */
export function udp(sourcePort: number, destinationPort: number, payload: string, reverse = false): Buffer {
  const bytes = Buffer.alloc(42 + payload.length)
  bytes.write(destination + source + '0800', 0, 'hex')
  bytes.write('4500', 14, 'hex')
  bytes.writeUInt16BE(28 + payload.length, 16)
  bytes.write('4011', 22, 'hex')
  const [from, to] = ['0a000001', '0a000002']
  bytes.write(reverse ? to + from : from + to, 26, 'hex')
  bytes.writeUInt16BE(ipChecksum(bytes.subarray(14, 34)), 24)
  bytes.writeUInt16BE(reverse ? destinationPort : sourcePort, 34)
  bytes.writeUInt16BE(reverse ? sourcePort : destinationPort, 36)
  bytes.writeUInt16BE(8 + payload.length, 38)
  bytes.write(payload, 42)
  return bytes
}

function ipChecksum(header: Buffer): number {
  let sum = 0
  for (let at = 0; at < header.length; at += 2) sum += header.readUInt16BE(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

export const outer = { tpid: 0x88a8, tci: 0x6001 }

export const inner = { tpid: 0x8100, tci: 0x2fff }

/** Frames of every kind: the smallest, a full one, jumbo, tagged. */
export function everyKind(): Buffer[] {
  const sizes = [14, 15, 60, 61, 1500, 1514, 9000, 9014, 65_000]
  return [
    ...sizes.map((size, number) => frame(size, number)),
    tagged(60, inner),
    tagged(1500, inner),
    tagged(60, outer, inner),
    tagged(9000, outer, inner),
  ]
}

export const hex = (frames: readonly Uint8Array[]): string[] =>
  frames.map((bytes) => Buffer.from(bytes).toString('hex'))

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number)

export const numbers = (packets: readonly { readonly data: Buffer }[]): number[] =>
  packets.map(({ data }) => numberOf(data))

export const numbered = (count: number, from = 0): Buffer[] => upTo(count).map((number) => frame(60, from + number))

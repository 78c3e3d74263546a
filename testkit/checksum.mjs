/** The Internet checksum: RFC 1071. */

/**
 * The ones' complement of the sum of 16-bit words; `sum` is what was added before.
 *
 * @param {Uint8Array} bytes
 * @param {number} [sum]
 */
export function checksum(bytes, sum = 0) {
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/**
 * The checksum of TCP or UDP over IPv4 as a receiver computes it: 0 where that of an untagged Ethernet frame is right.
 *
 * @param {Buffer} frame
 */
export function transportChecksum(frame) {
  const ip = frame.subarray(14)
  const segment = ip.subarray((ip.readUInt8(0) & 0xf) * 4, ip.readUInt16BE(2))
  let pseudoHeader = ip.readUInt8(9) + segment.length
  for (let at = 12; at < 20; at += 2) pseudoHeader += ip.readUInt16BE(at)
  return checksum(segment, pseudoHeader)
}

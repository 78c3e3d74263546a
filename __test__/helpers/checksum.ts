/** The checksum of TCP and UDP over IPv4, as a receiver checks it. */

/** 0 where the transport checksum of an Ethernet frame is right. */
export function checksum(frame: Buffer): number {
  const ip = frame.subarray(14)
  const segment = ip.subarray((ip.readUInt8(0) & 0xf) * 4, ip.readUInt16BE(2))
  let sum = ip.readUInt8(9) + segment.length
  for (let at = 12; at < 20; at += 2) sum += ip.readUInt16BE(at)
  for (let at = 0; at + 1 < segment.length; at += 2) sum += segment.readUInt16BE(at)
  if (segment.length % 2 === 1) sum += segment.readUInt8(segment.length - 1) << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

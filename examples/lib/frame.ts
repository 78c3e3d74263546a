/** Frames for the examples that send. */

const bytesOf = (macAddress: string): Buffer => Buffer.from(macAddress.replaceAll(':', ''), 'hex')

/** The shortest frame of Ethernet, with its number behind the header. Nothing on a network answers to its ethertype. */
export function numberedFrame(from: string, to: string, number: number): Buffer {
  const frame = Buffer.alloc(60)
  bytesOf(to).copy(frame, 0)
  bytesOf(from).copy(frame, 6)
  frame.writeUInt16BE(0x88b5, 12) // local experimental, IEEE 802
  frame.writeUInt32BE(number, 14)
  return frame
}

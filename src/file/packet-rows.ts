/** Packets as what the addon's writer takes. */
import { directions, PacketStatus } from '../packet/columns.js'
import type { OwnedPacket } from '../packet/packet.js'

/** Words a packet: `ROW_WORDS` in crates/netring-node/src/file_writer.rs. */
const WORDS = 6

/** What of a packet's status a capture file has. */
const states = ['csumNotReady', 'csumValid', 'gsoTcp'] as const

export function packetRows(packets: readonly OwnedPacket[]): { data: Buffer[]; rows: Uint32Array } {
  const rows = new Uint32Array(packets.length * WORDS)
  packets.forEach((packet, index) => {
    const { originalLength, seconds, nanoseconds, direction } = packet
    const status = states.reduce((bits, name) => (packet[name] ? bits | PacketStatus[name] : bits), 0)
    rows.set([originalLength, seconds, nanoseconds, status, directions.indexOf(direction), 0], index * WORDS)
  })
  return { data: packets.map(({ data }) => data), rows }
}

/** Packets as what the addon's writer takes. */
import { directions, PacketStatus } from '../packet/columns.js'
import type { PacketFields } from '../packet/packet.js'

/** Packets with their bytes, be they a batch's or owned. */
export type WritablePacket = PacketFields & { readonly data: Buffer }

/** Words a packet: `ROW_WORDS` in crates/netring-node/src/file_writer.rs. */
const WORDS = 6

/** What of a packet's status a capture file has. */
const states = ['csumNotReady', 'csumValid', 'gsoTcp'] as const

export function packetRows(packets: readonly WritablePacket[]): { data: Buffer[]; rows: Uint32Array } {
  const rows = new Uint32Array(packets.length * WORDS)
  packets.forEach((packet, index) => {
    const { originalLength, seconds, nanoseconds, direction } = packet
    const status = states.reduce((bits, name) => (packet[name] ? bits | PacketStatus[name] : bits), 0)
    rows.set([originalLength, seconds, nanoseconds, status, directions.indexOf(direction), 0], index * WORDS)
  })
  return { data: packets.map(({ data }) => data), rows }
}

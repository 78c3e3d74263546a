/** The headers of a batch's packets as columns. */
import { columnNumbers, columnStarts, constants } from '../addon/constants.js'

/**
 * The headers of a batch's packets. Each array has `batch.length` entries, addresses 16 bytes each, and is empty after
 * release(). Offsets count from the first byte of `batch.buffer`, as `columns.offset` does, and are 0xffff_ffff where a
 * packet has no such layer.
 */
export interface ParsedColumns {
  /** Behind the VLAN tags. Below 0x600 it is an 802.3 length, and what follows is LLC. */
  readonly etherType: Uint16Array
  /** Of the outermost tag, 0xffff where there is none. */
  readonly vlanId: Uint16Array
  /** Of the IP or ARP header. */
  readonly networkOffset: Uint32Array
  /** Of the TCP, UDP or ICMP header. Fragments have none. */
  readonly transportOffset: Uint32Array
  /** Of what follows the last header that was parsed. Absent in ARP, and where an error ended the parsing. */
  readonly payloadOffset: Uint32Array
  /** Bytes of payload that are present, without the padding of short Ethernet frames. */
  readonly payloadLength: Uint32Array
  /** 4, 6, or 0 where it is not IP. */
  readonly ipVersion: Uint8Array
  /** Protocol of what follows the IP header and its extensions, such as 6 for TCP. */
  readonly ipProtocol: Uint8Array
  /** 1 on every fragment of a larger IP packet, the first included: its payload is its part of that packet's. */
  readonly fragment: Uint8Array
  /** 16 bytes a packet; an IPv4 address in the first 4, then zeros. All zeros where it is not IP. */
  readonly sourceAddress: Uint8Array
  /** As the source address. */
  readonly destinationAddress: Uint8Array
  /** Of TCP and UDP, 0 elsewhere. */
  readonly sourcePort: Uint16Array
  /** Of TCP and UDP, 0 elsewhere. */
  readonly destinationPort: Uint16Array
  /** FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128, NS 256. */
  readonly tcpFlags: Uint16Array
  /** 0 or a {@link ParseError}. */
  readonly error: Uint8Array
}

const Parsed: Readonly<Record<keyof ParsedColumns, number>> = columnNumbers(constants?.parsedColumns, [
  'networkOffset',
  'transportOffset',
  'payloadOffset',
  'payloadLength',
  'etherType',
  'vlanId',
  'sourcePort',
  'destinationPort',
  'tcpFlags',
  'ipVersion',
  'ipProtocol',
  'fragment',
  'error',
  'sourceAddress',
  'destinationAddress',
])

const starts = columnStarts(constants?.parsedColumns)

const ADDRESS = 16

/** The parsed columns of `count` packets, over the memory that native code filled. */
export function parsedColumns(buffer: ArrayBuffer, count: number): ParsedColumns {
  const start = (column: number): number => (starts[column] ?? 0) * count
  return {
    etherType: new Uint16Array(buffer, start(Parsed.etherType), count),
    vlanId: new Uint16Array(buffer, start(Parsed.vlanId), count),
    networkOffset: new Uint32Array(buffer, start(Parsed.networkOffset), count),
    transportOffset: new Uint32Array(buffer, start(Parsed.transportOffset), count),
    payloadOffset: new Uint32Array(buffer, start(Parsed.payloadOffset), count),
    payloadLength: new Uint32Array(buffer, start(Parsed.payloadLength), count),
    ipVersion: new Uint8Array(buffer, start(Parsed.ipVersion), count),
    ipProtocol: new Uint8Array(buffer, start(Parsed.ipProtocol), count),
    fragment: new Uint8Array(buffer, start(Parsed.fragment), count),
    sourceAddress: new Uint8Array(buffer, start(Parsed.sourceAddress), count * ADDRESS),
    destinationAddress: new Uint8Array(buffer, start(Parsed.destinationAddress), count * ADDRESS),
    sourcePort: new Uint16Array(buffer, start(Parsed.sourcePort), count),
    destinationPort: new Uint16Array(buffer, start(Parsed.destinationPort), count),
    tcpFlags: new Uint16Array(buffer, start(Parsed.tcpFlags), count),
    error: new Uint8Array(buffer, start(Parsed.error), count),
  }
}

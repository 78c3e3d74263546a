/** What can be wrong with a packet's headers. */

/**
 * Values of the `error` column of {@link ParsedColumns}; 0 stands for none. Those whose name ends in `Truncated` or
 * `Malformed` ended the parsing: there is no payload. The others name a length or an option that cannot be right, and
 * everything that could be parsed was.
 */
export const ParseError = {
  /** Shorter than an Ethernet header. */
  linkTruncated: 1,
  /** An 802.3 length that the frame does not have. */
  linkLength: 2,
  /** The packet ends in a VLAN tag. */
  vlanTruncated: 3,
  /** The packet ends in an ARP message. */
  arpTruncated: 4,
  /** The packet ends in an IP header. */
  ipTruncated: 5,
  /** Another IP version than the ethertype says, or an IPv4 header length below 20 bytes. */
  ipMalformed: 6,
  /** An IP length that does not cover the header, or that the packet did not have on the wire. */
  ipLength: 7,
  /** The packet ends in an extension header of IP. */
  extensionTruncated: 8,
  /** A hop-by-hop header that is not the first, or an authentication header without a length. */
  extensionMalformed: 9,
  /** The packet ends in a TCP header. */
  tcpTruncated: 10,
  /** A TCP data offset below 20 bytes. */
  tcpMalformed: 11,
  /** A TCP option that leaves the header, or has a length below 2. */
  tcpOptions: 12,
  /** The packet ends in a UDP header. */
  udpTruncated: 13,
  /** A UDP length that does not cover the header, or that the IP packet does not have. */
  udpLength: 14,
  /** The packet ends in an ICMP header. */
  icmpTruncated: 15,
} as const
/** A value of {@link ParseError}. */
export type ParseError = (typeof ParseError)[keyof typeof ParseError]

/** What is wrong with a packet, and in which layer. */
export interface PacketError {
  /** 'link', 'vlan', 'arp', 'ip', 'tcp', 'udp' or 'icmp'. */
  readonly layer: string
  /** What is wrong, for people. */
  readonly message: string
}

const errors: Readonly<Record<ParseError, PacketError>> = {
  [ParseError.linkTruncated]: { layer: 'link', message: 'the frame is shorter than an Ethernet header' },
  [ParseError.linkLength]: { layer: 'link', message: 'the 802.3 length is more than the frame has' },
  [ParseError.vlanTruncated]: { layer: 'vlan', message: 'the packet ends in a VLAN tag' },
  [ParseError.arpTruncated]: { layer: 'arp', message: 'the packet ends in the ARP message' },
  [ParseError.ipTruncated]: { layer: 'ip', message: 'the packet ends in the IP header' },
  [ParseError.ipMalformed]: { layer: 'ip', message: 'the IP header has another version or is shorter than it may be' },
  [ParseError.ipLength]: { layer: 'ip', message: 'the IP length is less than the header or more than the packet has' },
  [ParseError.extensionTruncated]: { layer: 'ip', message: 'the packet ends in an IP extension header' },
  [ParseError.extensionMalformed]: { layer: 'ip', message: 'an IP extension header is out of place or has no length' },
  [ParseError.tcpTruncated]: { layer: 'tcp', message: 'the packet ends in the TCP header' },
  [ParseError.tcpMalformed]: { layer: 'tcp', message: 'the TCP data offset is less than the header' },
  [ParseError.tcpOptions]: { layer: 'tcp', message: 'a TCP option has a length that it cannot have' },
  [ParseError.udpTruncated]: { layer: 'udp', message: 'the packet ends in the UDP header' },
  [ParseError.udpLength]: { layer: 'udp', message: 'the UDP length is less than the header or more than there is' },
  [ParseError.icmpTruncated]: { layer: 'icmp', message: 'the packet ends in the ICMP header' },
}

/** The error of a code; undefined for 0. */
export function packetError(code: number): PacketError | undefined {
  return (errors as Readonly<Record<number, PacketError>>)[code]
}

/** One packet's headers as an object. */
import { addon } from '../addon/binding.js'
import { fromNative } from '../errors/native.js'
import { bufferOver } from '../memory/views.js'
import { hardwareAddress, ipv4Address, ipv6Address } from './address.js'
import { packetError, type PacketError } from './errors.js'
import { Part, record, recordBytes, Word } from './record.js'

/** Ethernet. */
export interface ParsedLink {
  /** 'aa:bb:cc:dd:ee:ff' */
  readonly destination: string
  /** Of the sender, likewise. */
  readonly source: string
  /** Behind the VLAN tags. Below 0x600 it is an 802.3 length, and what follows is LLC. */
  readonly etherType: number
}

/** A VLAN tag. */
export interface ParsedVlan {
  /** 0 to 4095; 0 is no VLAN, only a priority. */
  readonly id: number
  /** Priority code point, 0 to 7. */
  readonly priority: number
  /** Drop eligible indicator. */
  readonly dropEligible: boolean
  /** Tag protocol identifier: 0x8100, 0x88a8 or 0x9100. */
  readonly tpid: number
}

/** ARP. */
export interface ParsedArp {
  /** 1 request, 2 reply, … */
  readonly operation: number
  /** Bytes as 'aa:bb:cc:dd:ee:ff'. */
  readonly senderHardware: string
  /** '192.0.2.1'; of another protocol than IPv4, its bytes as a hardware address has them. */
  readonly senderAddress: string
  /** Zeros in a request. */
  readonly targetHardware: string
  /** Whom it is about. */
  readonly targetAddress: string
}

/** Which part of a larger IP packet this is. */
export interface ParsedFragment {
  /** Where it goes, in units of 8 bytes, as on the wire. */
  readonly offset: number
  /** It is not the last. */
  readonly more: boolean
  /** The same in all fragments of a packet. */
  readonly identification: number
}

/** IPv4 or IPv6. */
export interface ParsedIp {
  /** Of the header. */
  readonly version: 4 | 6
  /** '192.0.2.1', or an IPv6 address as RFC 5952 has it. */
  readonly source: string
  /** The same of the receiver, as the header has it. */
  readonly destination: string
  /** Of what follows the header and its extensions, such as 6 for TCP. */
  readonly protocol: number
  /** IPv4 calls it time to live. */
  readonly hopLimit: number
  /** Differentiated services code point, 0 to 63. */
  readonly dscp: number
  /** Explicit congestion notification, 0 to 3. */
  readonly ecn: number
  /** Undefined where the packet is whole. */
  readonly fragment: ParsedFragment | undefined
}

/** A TCP option. */
export interface TcpOption {
  /** 0 end of list, 1 no operation, 2 maximum segment size, … */
  readonly kind: number
  /** What follows kind and length: a view onto the packet's bytes. */
  readonly data: Buffer
}

/** TCP. */
export interface ParsedTcp {
  /** The sender's. */
  readonly sourcePort: number
  /** The receiver's. */
  readonly destinationPort: number
  /** Of the first byte of payload, or of SYN. */
  readonly sequence: number
  /** Of the byte that is expected next; means something with ACK only. */
  readonly acknowledgment: number
  /** FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128, NS 256. */
  readonly flags: number
  /** As in the header, not scaled. */
  readonly window: number
  /** In their order, padding included. */
  readonly options: readonly TcpOption[]
}

/** UDP. */
export interface ParsedUdp {
  /** The sender's. */
  readonly sourcePort: number
  /** The receiver's. */
  readonly destinationPort: number
  /** As in the header, which is counted. */
  readonly length: number
}

/** ICMP or ICMPv6. */
export interface ParsedIcmp {
  /** Of the IP that carries it; types differ. */
  readonly version: 4 | 6
  /** Such as 8, echo request, in ICMP and 128 in ICMPv6. */
  readonly type: number
  /** Of the type. */
  readonly code: number
  /** Of echo, and in ICMP of timestamp, information and address mask, requests and replies. */
  readonly identifier: number | undefined
  /** Of the same. */
  readonly sequence: number | undefined
}

/**
 * The headers of a packet. A layer that is not there, or could not be parsed, is undefined; `error` says why. Values and
 * texts stay; `payload` and the data of TCP options are views onto the packet's bytes and empty once its batch is released.
 */
export interface ParsedPacket {
  /** Ethernet. */
  readonly link: ParsedLink | undefined
  /** From the outermost in, eight at most. A tag that `vlan: 'metadata'` left out of the frame is not among them. */
  readonly vlans: readonly ParsedVlan[]
  /** ARP. */
  readonly arp: ParsedArp | undefined
  /** IPv4 or IPv6; of a tunnel the outer one. */
  readonly ip: ParsedIp | undefined
  /** TCP. */
  readonly tcp: ParsedTcp | undefined
  /** UDP. */
  readonly udp: ParsedUdp | undefined
  /** ICMP or ICMPv6. */
  readonly icmp: ParsedIcmp | undefined
  /**
   * What follows the last header that was parsed, without the padding of short Ethernet frames. Of a fragment its part of
   * the payload. Empty where there is none, in ARP, and where an error ended the parsing.
   */
  readonly payload: Buffer
  /** Where and why parsing ended early; undefined where it did not. */
  readonly error: PacketError | undefined
}

const none = Buffer.alloc(0)
const noVlans: readonly ParsedVlan[] = []
const noOptions: readonly TcpOption[] = []

const IPV4 = 0x0800
const ICMP = 1
const TCP = 6
const UDP = 17
const ICMPV6 = 58

/**
 * Parses a packet of which `bytes` were captured and `originalLength` were on the wire.
 *
 * One native call fills the record (crates/netring/src/parse/record.rs), from which this makes the object.
 */
export function parsePacket(bytes: Buffer, originalLength: number): ParsedPacket {
  try {
    addon().nativeParsePacket(bytes, originalLength, recordBytes)
  } catch (error) {
    throw fromNative(error)
  }
  const transport = word(Word.transport)
  return {
    link: word(Word.link) === 0 ? undefined : link(),
    vlans: word(Word.vlans) === 0 ? noVlans : vlans(),
    arp: word(Word.arp) === 0 ? undefined : arp(bytes),
    ip: word(Word.ipVersion) === 0 ? undefined : ip(),
    tcp: transport === TCP ? tcp(bytes) : undefined,
    udp: transport === UDP ? udp() : undefined,
    icmp: transport === ICMP || transport === ICMPV6 ? icmp(transport) : undefined,
    payload: view(bytes, word(Word.payloadOffset), word(Word.payloadLength)),
    error: packetError(word(Word.error)),
  }
}

function word(index: number): number {
  return record[index] ?? 0
}

function view(bytes: Buffer, offset: number, length: number): Buffer {
  return length === 0 ? none : bufferOver(bytes.buffer, bytes.byteOffset + offset, length)
}

function link(): ParsedLink {
  return {
    destination: hardwareAddress(recordBytes, Part.linkDestination * 4, 6),
    source: hardwareAddress(recordBytes, Part.linkSource * 4, 6),
    etherType: word(Word.etherType),
  }
}

function vlans(): ParsedVlan[] {
  return Array.from({ length: word(Word.vlans) }, (_, index) => {
    const tag = word(Part.tags + index)
    return {
      id: tag & 0xfff,
      priority: (tag >>> 13) & 7,
      dropEligible: (tag & 0x1000) !== 0,
      tpid: tag >>> 16,
    }
  })
}

/** Addresses of whatever length, from the packet's own bytes. */
function arp(bytes: Buffer): ParsedArp {
  const hardware = word(Word.arpHardwareSize)
  const size = word(Word.arpProtocolSize)
  const isIpv4 = word(Word.arpProtocol) === IPV4 && size === 4
  const address = (at: number): string => (isIpv4 ? ipv4Address(bytes, at) : hardwareAddress(bytes, at, size))
  const sender = word(Word.networkOffset) + 8
  const target = sender + hardware + size
  return {
    operation: word(Word.arpOperation),
    senderHardware: hardwareAddress(bytes, sender, hardware),
    senderAddress: address(sender + hardware),
    targetHardware: hardwareAddress(bytes, target, hardware),
    targetAddress: address(target + hardware),
  }
}

function ip(): ParsedIp {
  const version = word(Word.ipVersion) === 4 ? 4 : 6
  const address = version === 4 ? ipv4Address : ipv6Address
  return {
    version,
    source: address(recordBytes, Part.sourceAddress * 4),
    destination: address(recordBytes, Part.destinationAddress * 4),
    protocol: word(Word.ipProtocol),
    hopLimit: word(Word.hopLimit),
    dscp: word(Word.dscp),
    ecn: word(Word.ecn),
    fragment:
      word(Word.fragment) === 0
        ? undefined
        : {
            offset: word(Word.fragmentOffset),
            more: word(Word.moreFragments) !== 0,
            identification: word(Word.identification),
          },
  }
}

function tcp(bytes: Buffer): ParsedTcp {
  return {
    sourcePort: word(Word.sourcePort),
    destinationPort: word(Word.destinationPort),
    sequence: word(Word.sequence),
    acknowledgment: word(Word.acknowledgment),
    flags: word(Word.tcpFlags),
    window: word(Word.window),
    options: word(Word.options) === 0 ? noOptions : tcpOptions(bytes),
  }
}

function tcpOptions(bytes: Buffer): TcpOption[] {
  return Array.from({ length: word(Word.options) }, (_, index) => {
    const at = Part.tcpOptions + 2 * index
    return { kind: word(at) >>> 16, data: view(bytes, word(at + 1), word(at) & 0xffff) }
  })
}

function udp(): ParsedUdp {
  return {
    sourcePort: word(Word.sourcePort),
    destinationPort: word(Word.destinationPort),
    length: word(Word.udpLength),
  }
}

function icmp(protocol: number): ParsedIcmp {
  const version = protocol === ICMP ? 4 : 6
  const type = word(Word.icmpType)
  const numbered = version === 4 ? numberedIcmp.has(type) : numberedIcmpv6.has(type)
  return {
    version,
    type,
    code: word(Word.icmpCode),
    identifier: numbered ? word(Word.icmpIdentifier) : undefined,
    sequence: numbered ? word(Word.icmpSequence) : undefined,
  }
}

/** Echo reply and echo, timestamp, information and address mask (RFC 792, RFC 950). */
const numberedIcmp: ReadonlySet<number> = new Set([0, 8, 13, 14, 15, 16, 17, 18])
/** Echo request and reply (RFC 4443). */
const numberedIcmpv6: ReadonlySet<number> = new Set([128, 129])

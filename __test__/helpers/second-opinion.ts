/** Compares what netring parses with what tshark does, field by field. */
import type { ExecutionContext } from 'ava'
import type { ParsedColumns, ParsedPacket } from '../../src/index.js'
import type { Dissected } from './tshark.js'

const ABSENT = 0xffff_ffff
const TRANSPORTS = ['tcp', 'udp', 'icmp', 'icmpv6']
/** Types whose messages have an identifier and a sequence number. */
const timestamps = [13, 14]

/** What tshark's layers come to, in the terms of ParsedPacket and ParsedColumns. */
export interface Expected {
  readonly link: ParsedPacket['link']
  readonly vlans: ParsedPacket['vlans']
  readonly arp: ParsedPacket['arp']
  readonly ip: ParsedPacket['ip']
  readonly tcp: Omit<NonNullable<ParsedPacket['tcp']>, 'options'> | undefined
  /** Options as they are in the header, without kind and length of the last, which ends the list. */
  readonly options: string
  readonly udp: ParsedPacket['udp']
  readonly icmp: ParsedPacket['icmp']
  readonly payload: string
  readonly networkOffset: number
  readonly transportOffset: number
  readonly payloadOffset: number
}

/** Reads tshark's layers of a whole packet. */
export function expected(layers: readonly Dissected[], bytes: Buffer): Expected {
  const [eth, ...rest] = layers
  if (eth?.name !== 'eth') throw new Error('every packet has an Ethernet header')
  const tags = rest.slice(
    0,
    rest.findIndex(({ name }) => !['vlan', 'ieee8021ad'].includes(name)),
  )
  const [network, ...above] = rest.slice(tags.length)
  const types = [eth, ...tags].map(typeOf)
  const ip = network?.name === 'ip' || network?.name === 'ipv6' ? network : undefined
  const authentication = ip?.name === 'ip' && above[0]?.name === 'ah' ? above[0] : undefined
  const fields = ip && ipOf(ip, authentication)
  const upper = above[authentication === undefined ? 0 : 1]
  const transport = fields?.fragment === undefined && TRANSPORTS.includes(upper?.name ?? '') ? upper : undefined
  const arp = network?.name === 'arp' ? network : undefined
  const header = transport === undefined ? 0 : headerSize(transport)
  const linkEnd = 14 + 4 * tags.length
  const start = transport?.at ?? (ip ? ip.at + ipSize(ip) + (authentication?.size ?? 0) : linkEnd)
  const last = types.at(-1) ?? 0
  const end = ip ? ipEnd(ip) : last <= 1500 ? linkEnd + last : bytes.length
  return {
    link: { destination: eth.text('eth.dst') ?? '', source: eth.text('eth.src') ?? '', etherType: last },
    vlans: tags.map((tag, index) => ({
      id: tag.number(`${tag.name}.id`) ?? -1,
      priority: tag.number(`${tag.name}.priority`) ?? -1,
      dropEligible: tag.number(`${tag.name}.dei`) === 1,
      tpid: types[index] ?? -1,
    })),
    arp: arp && arpOf(arp),
    ip: fields,
    tcp: transport?.name === 'tcp' ? tcpOf(transport) : undefined,
    options: transport?.text('tcp.options')?.replaceAll(':', '') ?? '',
    udp: transport?.name === 'udp' ? udpOf(transport) : undefined,
    icmp: transport?.name.startsWith('icmp') === true ? icmpOf(transport) : undefined,
    payload: arp ? '' : bytes.toString('hex', start + header, end),
    networkOffset: ip?.at ?? arp?.at ?? ABSENT,
    transportOffset: transport?.at ?? ABSENT,
    payloadOffset: arp ? ABSENT : start + header,
  }
}

function typeOf(layer: Dissected): number {
  const names = ['eth.type', 'eth.len', 'vlan.etype', 'vlan.len', 'ieee8021ah.etype']
  return names.map(layer.number).find((value) => value !== undefined) ?? -1
}

function ipSize(ip: Dissected): number {
  return ip.name === 'ip' ? (ip.number('ip.hdr_len') ?? 0) : 40 + ip.extensions
}

function ipEnd(ip: Dissected): number {
  return ip.at + (ip.name === 'ip' ? (ip.number('ip.len') ?? 0) : 40 + (ip.number('ipv6.plen') ?? 0))
}

function ipOf(ip: Dissected, authentication: Dissected | undefined): NonNullable<ParsedPacket['ip']> {
  if (ip.name === 'ip') {
    const more = ip.number('ip.flags.mf') === 1
    const offset = ip.number('ip.frag_offset') ?? 0
    return {
      version: 4,
      source: ip.text('ip.src') ?? '',
      destination: ip.text('ip.dst') ?? '',
      protocol: authentication?.number('ah.next_header') ?? ip.number('ip.proto') ?? -1,
      hopLimit: ip.number('ip.ttl') ?? -1,
      dscp: ip.number('ip.dsfield.dscp') ?? -1,
      ecn: ip.number('ip.dsfield.ecn') ?? -1,
      fragment: more || offset !== 0 ? { offset, more, identification: ip.number('ip.id') ?? -1 } : undefined,
    }
  }
  const offset = ip.number('ipv6.fraghdr.offset')
  return {
    version: 6,
    source: ip.text('ipv6.src') ?? '',
    destination: ip.text('ipv6.dst') ?? '',
    protocol: Number(ip.all('next').at(-1)),
    hopLimit: ip.number('ipv6.hlim') ?? -1,
    dscp: ip.number('ipv6.tclass.dscp') ?? -1,
    ecn: ip.number('ipv6.tclass.ecn') ?? -1,
    fragment:
      offset === undefined
        ? undefined
        : {
            offset,
            more: ip.number('ipv6.fraghdr.more') === 1,
            identification: ip.number('ipv6.fraghdr.ident') ?? -1,
          },
  }
}

function arpOf(arp: Dissected): NonNullable<ParsedPacket['arp']> {
  return {
    operation: arp.number('arp.opcode') ?? -1,
    senderHardware: arp.text('arp.src.hw_mac') ?? '',
    senderAddress: arp.text('arp.src.proto_ipv4') ?? '',
    targetHardware: arp.text('arp.dst.hw_mac') ?? '',
    targetAddress: arp.text('arp.dst.proto_ipv4') ?? '',
  }
}

function tcpOf(tcp: Dissected): NonNullable<Expected['tcp']> {
  return {
    sourcePort: tcp.number('tcp.srcport') ?? -1,
    destinationPort: tcp.number('tcp.dstport') ?? -1,
    sequence: tcp.number('tcp.seq_raw') ?? -1,
    acknowledgment: tcp.number('tcp.ack_raw') ?? -1,
    flags: tcp.number('tcp.flags') ?? -1,
    window: tcp.number('tcp.window_size_value') ?? -1,
  }
}

function udpOf(udp: Dissected): NonNullable<ParsedPacket['udp']> {
  return {
    sourcePort: udp.number('udp.srcport') ?? -1,
    destinationPort: udp.number('udp.dstport') ?? -1,
    length: udp.number('udp.length') ?? -1,
  }
}

function icmpOf(icmp: Dissected): NonNullable<ParsedPacket['icmp']> {
  return {
    version: icmp.name === 'icmp' ? 4 : 6,
    type: icmp.number(`${icmp.name}.type`) ?? -1,
    code: icmp.number(`${icmp.name}.code`) ?? -1,
    identifier: icmp.number('icmp.ident') ?? icmp.number('icmpv6.echo.identifier'),
    sequence: icmp.number('icmp.seq') ?? icmp.number('icmpv6.echo.sequence_number'),
  }
}

function headerSize(transport: Dissected): number {
  if (transport.name === 'tcp') return transport.number('tcp.hdr_len') ?? -1
  return timestamps.includes(transport.number('icmp.type') ?? -1) ? 20 : 8
}

/** Asserts that every field of an object is what tshark says. */
export function sameObject(t: ExecutionContext, name: string, parsed: ParsedPacket, wanted: Expected): void {
  t.deepEqual(parsed.link, wanted.link, name)
  t.deepEqual(parsed.vlans, wanted.vlans, name)
  t.deepEqual(parsed.arp, wanted.arp, name)
  t.deepEqual(parsed.ip, wanted.ip, name)
  const { options = [], ...tcp } = parsed.tcp ?? {}
  t.deepEqual(parsed.tcp && tcp, wanted.tcp, name)
  t.is(headerBytes(options), wanted.options, name)
  t.deepEqual(parsed.udp, wanted.udp, name)
  t.deepEqual(parsed.icmp, wanted.icmp, name)
  t.is(parsed.payload.toString('hex'), wanted.payload, name)
  t.is(parsed.error, undefined, name)
}

/** Options as they stand in the header; behind the end of the list it is filled up with zeros. */
function headerBytes(options: NonNullable<ParsedPacket['tcp']>['options']): string {
  const bytes = options.map(({ kind, data }) =>
    kind < 2 ? Buffer.from([kind]) : Buffer.concat([Buffer.from([kind, data.length + 2]), data]),
  )
  const text = Buffer.concat(bytes).toString('hex')
  return text.padEnd(Math.ceil(text.length / 8) * 8, '0')
}

/** Asserts that row `index` of the columns is what tshark says of the packet at `offset`. */
export function sameRow(
  t: ExecutionContext,
  name: string,
  columns: ParsedColumns,
  index: number,
  offset: number,
  wanted: Expected,
): void {
  const place = (at: number): number => (at === ABSENT ? ABSENT : at + offset)
  const address = (text: string | undefined): string =>
    Buffer.concat([bytesOf(text ?? ''), Buffer.alloc(16)], 16).toString('hex')
  const row = (values: Uint8Array): string => Buffer.from(values.subarray(index * 16, index * 16 + 16)).toString('hex')
  const ports = wanted.tcp ?? wanted.udp ?? { sourcePort: 0, destinationPort: 0 }
  t.is(columns.etherType[index], wanted.link?.etherType, name)
  t.is(columns.vlanId[index], wanted.vlans[0]?.id ?? 0xffff, name)
  t.is(columns.networkOffset[index], place(wanted.networkOffset), name)
  t.is(columns.transportOffset[index], place(wanted.transportOffset), name)
  t.is(columns.payloadOffset[index], place(wanted.payloadOffset), name)
  t.is(columns.payloadLength[index], wanted.payload.length / 2, name)
  t.is(columns.ipVersion[index], wanted.ip?.version ?? 0, name)
  t.is(columns.ipProtocol[index], wanted.ip?.protocol ?? 0, name)
  t.is(columns.fragment[index], wanted.ip?.fragment === undefined ? 0 : 1, name)
  t.is(row(columns.sourceAddress), address(wanted.ip?.source), name)
  t.is(row(columns.destinationAddress), address(wanted.ip?.destination), name)
  t.is(columns.sourcePort[index], ports.sourcePort, name)
  t.is(columns.destinationPort[index], ports.destinationPort, name)
  t.is(columns.tcpFlags[index], wanted.tcp?.flags ?? 0, name)
  t.is(columns.error[index], 0, name)
}

/** The bytes of an address as tshark writes it, by another way than the one that is tested. */
function bytesOf(text: string): Buffer {
  if (!text.includes(':')) return Buffer.from(text === '' ? [] : text.split('.').map(Number))
  const plain = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number)
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  })
  const [head = [], tail = []] = plain.split('::').map((part) => part.split(':').filter((group) => group !== ''))
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0')
  return Buffer.from([...head, ...zeros, ...tail].map((group) => group.padStart(4, '0')).join(''), 'hex')
}

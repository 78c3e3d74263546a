/** What tshark makes of packets: a second opinion. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'

/** A protocol of a packet, as tshark's packet details have it: its place in the packet, and its fields by name. */
export interface Dissected {
  readonly name: string
  readonly at: number
  readonly size: number
  /** Bytes of the extension headers inside IPv6. */
  readonly extensions: number
  /** Every value of a field, in order. Fields of packets inside this one are not among them; 'next' are all next headers. */
  readonly all: (field: string) => readonly string[]
  /** The first value; undefined where there is no such field. */
  readonly text: (field: string) => string | undefined
  /** The same as a number, however it is written. */
  readonly number: (field: string) => number | undefined
}

/** The layers of each packet from the outermost in. What an ICMP error quotes is no layer. */
export function dissect(t: ExecutionContext, packets: readonly Uint8Array[]): Dissected[][] {
  const folder = mkdtempSync(join(tmpdir(), 'netring-tshark-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true })
  })
  const file = join(folder, 'packets.pcap')
  writeFileSync(file, pcap(packets))
  const printed = execFileSync('tshark', ['-n', '-r', file, '-T', 'pdml'], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, HOME: folder },
  })
  const dissected = printed.split('<packet>').slice(1).map(layers)
  t.is(dissected.length, packets.length, 'tshark sees every packet')
  return dissected
}

/** A capture file in the classic format, for Ethernet. */
function pcap(packets: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(24)
  head.writeUInt32LE(0xa1b2c3d4, 0)
  head.writeUInt16LE(2, 4)
  head.writeUInt16LE(4, 6)
  head.writeUInt32LE(0x40000, 16)
  head.writeUInt32LE(1, 20)
  const records = packets.flatMap((packet) => {
    const record = Buffer.alloc(16)
    record.writeUInt32LE(packet.length, 8)
    record.writeUInt32LE(packet.length, 12)
    return [record, packet]
  })
  return Buffer.concat([head, ...records])
}

/** PDML has a tag a line. Extension headers lie inside IPv6 there; what else lies inside a protocol is left out. */
function layers(packet: string): Dissected[] {
  const found: Dissected[] = []
  const open: string[] = []
  let fields = new Map<string, string[]>()
  let inside = { size: 0 }
  for (const [line] of packet.matchAll(/<[^>]*>/g)) {
    if (line.startsWith('<proto ')) {
      const name = attribute(line, 'name')
      if (open.length === 0) {
        fields = new Map()
        inside = { size: 0 }
        found.push(dissected(line, fields, inside))
      }
      open.push(name)
      if (isExtension(open)) inside.size += Number(attribute(line, 'size'))
    } else if (line.startsWith('</proto>')) {
      open.pop()
    } else if (line.startsWith('<field ') && (open.length === 1 || isExtension(open))) {
      const name = attribute(line, 'name')
      fields.set(name, [...(fields.get(name) ?? []), attribute(line, 'show')])
      if (/\.nxt$|^ah\.next_header$/.test(name)) {
        fields.set('next', [...(fields.get('next') ?? []), attribute(line, 'show')])
      }
    }
  }
  return found.filter(({ name }) => !['geninfo', 'frame'].includes(name))
}

function isExtension([outer, inner = '', ...deeper]: readonly string[]): boolean {
  return outer === 'ipv6' && (inner === 'ah' || inner.startsWith('ipv6.')) && deeper.length === 0
}

function dissected(
  line: string,
  fields: ReadonlyMap<string, readonly string[]>,
  inside: { readonly size: number },
): Dissected {
  const all = (field: string): readonly string[] => fields.get(field) ?? []
  return {
    name: attribute(line, 'name'),
    at: Number(attribute(line, 'pos')),
    size: Number(attribute(line, 'size')),
    get extensions() {
      return inside.size
    },
    all,
    text: (field) => all(field)[0],
    number: (field) => (all(field)[0] === undefined ? undefined : Number(all(field)[0])),
  }
}

function attribute(line: string, name: string): string {
  return new RegExp(` ${name}="([^"]*)"`).exec(line)?.[1] ?? ''
}

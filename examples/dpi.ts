/**
 * Deep packet inspection: recognises HTTP, TLS (with the server's name), DNS and SSH by what packets carry.
 *
 *     npm run example dpi -- INTERFACE [--count N] [--seconds N]
 *
 * Prints a line for each message that says something of its kind, `--count` in all. HTTP, TLS and SSH are recognised on any
 * port, DNS, which has no mark of its own, on 53. Looks at packets, not at streams: of a message in several segments it sees
 * what the first one holds.
 */
import { Capture, type Packet } from 'netring'
import { cli } from './lib/cli.ts'

const {
  names: [name],
  options: { count },
  signal,
} = cli(['INTERFACE'], { count: Infinity })

/** Beyond the end come zeros: what was cut off or is malformed has no name and no length. */
const u16 = (bytes: Buffer, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)

function http(payload: Buffer): string | undefined {
  const text = payload.toString('latin1', 0, 2048)
  const [, method, path] = /^([A-Z]+) (\S+) HTTP\/1\.\d\r\n/.exec(text) ?? []
  if (method) return `${method} ${/^host: *(\S+)/im.exec(text)?.[1] ?? ''}${path}`
  return /^HTTP\/1\.\d \d{3}[^\r\n]*/.exec(text)?.[0]
}

/** A ClientHello, RFC 8446: record and handshake headers, version, random; then session id, ciphers, compressions. */
function tls(payload: Buffer): string | undefined {
  if (payload[0] !== 22 || payload[1] !== 3 || payload[5] !== 1) return undefined
  let at = 43
  at += 1 + (payload[at] ?? 0)
  at += 2 + u16(payload, at)
  at += 1 + (payload[at] ?? 0)
  for (at += 2; at < payload.length; at += 4 + u16(payload, at + 2)) {
    // server_name, RFC 6066: a list of one name.
    if (u16(payload, at) === 0)
      return `ClientHello for ${payload.toString('latin1', at + 9, at + 9 + u16(payload, at + 7))}`
  }
  return 'ClientHello without a name'
}

const recordTypes: Readonly<Record<number, string>> = {
  1: 'A',
  2: 'NS',
  5: 'CNAME',
  15: 'MX',
  16: 'TXT',
  28: 'AAAA',
  65: 'HTTPS',
}

/** The first question, RFC 1035. */
function dns(payload: Buffer): string | undefined {
  if (u16(payload, 4) === 0) return undefined
  const labels: string[] = []
  let at = 12
  for (let length = 0; (length = payload[at] ?? 0) > 0 && length < 64; at += 1 + length) {
    labels.push(payload.toString('latin1', at + 1, at + 1 + length))
  }
  const type = u16(payload, at + 1)
  const answers = (u16(payload, 2) & 0x8000) === 0 ? '?' : `: ${u16(payload, 6)} answers`
  return `${labels.join('.')} ${recordTypes[type] ?? `type ${type}`}${answers}`
}

const ssh = (payload: Buffer): string | undefined =>
  /^SSH-\d\.\d+-[^\r\n]+/.exec(payload.toString('latin1', 0, 255))?.[0]

/** What strangers send may not talk to the terminal. */
const printable = (text: string): string => text.replaceAll(/[^ -~]/g, '.')

function inspect(packet: Packet): [protocol: string, what: string, way: string] | undefined {
  const { ip, tcp, udp, payload } = packet.parse()
  const ports = tcp ?? udp
  if (!ip || !ports || payload.length === 0) return undefined
  const way = `${ip.source}:${ports.sourcePort} > ${ip.destination}:${ports.destinationPort}`
  const parsers = tcp
    ? { HTTP: http, TLS: tls, SSH: ssh }
    : ports.sourcePort === 53 || ports.destinationPort === 53
      ? { DNS: dns }
      : {}
  for (const [protocol, parser] of Object.entries(parsers)) {
    const what = parser(payload)
    if (what !== undefined) return [protocol, what, way]
  }
  return undefined
}

using capture = Capture.open(name, { promiscuous: true })
const seen: Record<string, number> = { HTTP: 0, TLS: 0, DNS: 0, SSH: 0 }
let lines = 0
try {
  for await (const packet of capture.packetsAsync({ signal })) {
    const found = inspect(packet)
    if (!found) continue
    const [protocol, what, way] = found
    seen[protocol]!++
    console.log(`${protocol} ${way} ${printable(what)}`)
    if (++lines >= count) break
  }
} catch (error) {
  if (!signal.aborted) throw error
}
const { packets, drops } = capture.cumulativeStats()
console.log(
  `${Object.entries(seen)
    .map((entry) => entry.join(' '))
    .join(', ')} in ${packets} packets, ${drops} dropped`,
)

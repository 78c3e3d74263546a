/**
 * Deep packet inspection: recognises HTTP, TLS (with the server's name), DNS and SSH by what packets carry.
 *
 *     npm run example dpi -- INTERFACE [--count N] [--seconds N]
 *
 * Prints a line for each message that says something of its kind, `--count` in all. HTTP, TLS and SSH are recognised on any
 * port, DNS, which has no mark of its own, on 53. Looks at packets, not at streams: of a message in several segments it sees
 * what the first one holds.
 */
import { Capture, type ParsedPacket } from 'netring'
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
    if (u16(payload, at) !== 0) continue
    // server_name, RFC 6066: a list of one name.
    return `ClientHello for ${payload.toString('latin1', at + 9, at + 9 + u16(payload, at + 7))}`
  }
  return 'ClientHello without a name'
}

const recordTypes = new Map(
  Object.entries({ 1: 'A', 2: 'NS', 5: 'CNAME', 15: 'MX', 16: 'TXT', 28: 'AAAA', 65: 'HTTPS' }),
)

/** The first question, RFC 1035: labels, each behind its length, and a type. */
function dns(payload: Buffer): string | undefined {
  if (u16(payload, 4) === 0) return undefined
  const labels: string[] = []
  let at = 12
  for (; payload[at]; at += 1 + payload[at]!) labels.push(payload.toString('latin1', at + 1, at + 1 + payload[at]!))
  const type = String(u16(payload, at + 1))
  const answers = (u16(payload, 2) & 0x8000) === 0 ? '?' : `: ${u16(payload, 6)} answers`
  return `${labels.join('.')} ${recordTypes.get(type) ?? type}${answers}`
}

const ssh = (payload: Buffer): string | undefined =>
  /^SSH-\d\.\d+-[^\r\n]+/.exec(payload.toString('latin1', 0, 255))?.[0]

const overTcp = Object.entries({ HTTP: http, TLS: tls, SSH: ssh })
const overDnsPort = Object.entries({ DNS: dns })

/** What a packet says, if it is one of the protocols above. */
function inspect({ ip, tcp, udp, payload }: ParsedPacket): readonly [protocol: string, line: string] | undefined {
  const ports = tcp ?? udp
  if (!ip || !ports || payload.length === 0) return undefined
  const { sourcePort, destinationPort } = ports
  const isDns = udp !== undefined && (sourcePort === 53 || destinationPort === 53)
  for (const [protocol, parser] of tcp ? overTcp : isDns ? overDnsPort : []) {
    const what = parser(payload)
    if (what === undefined) continue
    const host = (address: string): string => (ip.version === 6 ? `[${address}]` : address)
    const way = `${host(ip.source)}:${sourcePort} > ${host(ip.destination)}:${destinationPort}`
    return [protocol, `${protocol} ${way} ${what.replaceAll(/[^ -~]/g, '.')}`] // strangers may not talk to the terminal
  }
  return undefined
}

using capture = Capture.open(name, { promiscuous: true })
const seen: Record<string, number> = { HTTP: 0, TLS: 0, DNS: 0, SSH: 0 }
let lines = 0
try {
  for await (const packet of capture.packetsAsync({ signal })) {
    const found = inspect(packet.parse())
    if (!found) continue
    const [protocol, line] = found
    seen[protocol]!++
    console.log(line)
    if (++lines >= count) break
  }
} catch (error) {
  if (!signal.aborted) throw error
}
const { packets, drops } = capture.cumulativeStats()
const totals = Object.entries(seen).map(([protocol, messages]) => `${protocol} ${messages}`)
console.log(`${totals.join(', ')} in ${packets} packets, ${drops} dropped`)

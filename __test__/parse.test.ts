/** Parsing says what tshark says, and nothing that arrives makes it throw. */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { ParseError, type Batch, type PacketSink, type PacketSource, type ParsedPacket } from '../src/index.js'
import { packetError } from '../src/parse/errors.js'
import { frame, tagged } from '../testkit/frames.mjs'
import { network } from './helpers/network.js'
import { ethernet, ipv4, ipv6, tcp, udp } from '../testkit/headers.mjs'
import { protocols } from '../testkit/protocols.mjs'
import { expected, sameObject, sameRow } from './helpers/second-opinion.js'
import { captureOn, injectorOn, receive, sendAll } from './helpers/traffic.js'
import { dissect } from './helpers/tshark.js'
import { modes, xdpOn, xdpTest } from './helpers/xdp.js'

const large = { frameSize: 9014, frameCount: 1024 }

/** Calls `use` with batches until they had this many packets. */
async function eachBatch(
  t: ExecutionContext,
  source: PacketSource,
  count: number,
  use: (batch: Batch) => void,
): Promise<void> {
  let seen = 0
  while (seen < count) {
    await source.readable({ signal: AbortSignal.timeout(5000) })
    using batch = source.nextBatch()
    if (batch === undefined) continue
    seen += batch.length
    use(batch)
  }
  t.is(seen, count)
}

/** Sends frames and compares every field of each with what tshark says. */
async function compare(
  t: ExecutionContext,
  source: PacketSource,
  sink: PacketSink,
  frames: Readonly<Record<string, Buffer>>,
): Promise<void> {
  await sendAll(sink, Object.values(frames))
  const names = Object.keys(frames)
  const opinions = dissect(t, Object.values(frames))
  let next = 0
  await eachBatch(t, source, names.length, (batch) => {
    const columns = batch.parse()
    for (const [index, packet] of [...batch].entries()) {
      const name = names[next] ?? ''
      const sent = frames[name] ?? Buffer.alloc(0)
      t.true(packet.data.equals(sent), `${name} arrives as it was sent`)
      const wanted = expected(opinions[next++] ?? [], sent)
      sameRow(t, name, columns, index, batch.columns.offset[index] ?? 0, wanted)
      sameObject(t, name, packet.parse(), wanted)
      sameObject(t, name, packet.copy().parse(), wanted)
    }
  })
  t.is(next, names.length)
}

test.serial('every field of every protocol is what tshark says', async (t) => {
  const { a, b } = network(t, { mtu: 9000 })
  await compare(t, captureOn(t, b), injectorOn(t, a, large), protocols)
})

for (const attach of modes) {
  xdpTest(`over AF_XDP in ${attach} mode, too`, async (t) => {
    const { a, b } = network(t)
    const short = Object.entries(protocols).filter(([, bytes]) => bytes.length <= 1514)
    t.true(short.length > 50)
    await compare(t, xdpOn(t, b, { mode: 'rx', attach }), injectorOn(t, a), Object.fromEntries(short))
  })
}

/** Starts of a frame. The kernel drops one that ends in its outermost VLAN tag (`skb_vlan_untag`). */
function cutsOf(bytes: Buffer): Buffer[] {
  const tagged = [0x8100, 0x88a8].includes(bytes.readUInt16BE(12))
  const shortest = tagged ? 20 : 14
  const lengths = Array.from({ length: Math.min(bytes.length, 400) - shortest }, (_, index) => shortest + index)
  return lengths.map((length) => bytes.subarray(0, length))
}

/** The layers that an object has. */
function present({ link, arp, ip, tcp, udp, icmp }: ParsedPacket): Partial<ParsedPacket> {
  const layers = Object.entries({ link, arp, ip, tcp, udp, icmp }).filter(([, layer]) => layer !== undefined)
  return Object.fromEntries(layers)
}

test.serial('frames cut at every length give an error or less payload', async (t) => {
  const { a, b } = network(t, { mtu: 9000 })
  const capture = captureOn(t, b, { blockCount: 64 })
  const cuts = Object.entries(protocols).flatMap(([name, bytes]) => cutsOf(bytes).map((cut) => ({ name, bytes: cut })))
  t.true(cuts.length > 4000)
  await sendAll(
    injectorOn(t, a, large),
    cuts.map(({ bytes }) => bytes),
  )
  const codes = new Set<number>()
  let next = 0
  await eachBatch(t, capture, cuts.length, (batch) => {
    const columns = batch.parse()
    for (const [index, packet] of [...batch].entries()) {
      const { name = '', bytes = Buffer.alloc(0) } = cuts[next++] ?? {}
      const title = `${name}, ${String(bytes.length)} bytes of it`
      if (!packet.data.equals(bytes)) return void t.fail(`${title} arrives as it was sent`)
      const parsed = packet.parse()
      const code = columns.error[index] ?? 0
      codes.add(code)
      t.deepEqual(parsed.error, packetError(code), title)
      t.is(parsed.payload.length, columns.payloadLength[index] ?? -1, title)
      if (code === 0) t.true(payloadIsFree(name), `${title}: only what has no length can lose bytes unnoticed`)
    }
  })
  const cut = ['vlanTruncated', 'arpTruncated', 'ipTruncated', 'ipLength', 'extensionTruncated'] as const
  const more = ['tcpTruncated', 'udpTruncated', 'icmpTruncated', 'linkLength'] as const
  for (const error of [...cut, ...more]) t.true(codes.has(ParseError[error]), error)
})

/** Frames that do not say how long they are, or are padded. */
function payloadIsFree(name: string): boolean {
  return /padded|MPLS|unknown ethertype|LLDP|STP/.test(name)
}

test.serial('layers of cut frames that are parsed are those that tshark sees', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const names = [
    'QinQ',
    'TCP data',
    'IPv6 all extensions',
    'ICMP timestamp',
    'ARP, tagged',
    'IPv6 hop-by-hop and fragment',
  ]
  const cuts = names.flatMap((name) => {
    return cutsOf(protocols[name] ?? Buffer.alloc(0)).map((cut) => ({ name, bytes: cut }))
  })
  const frames = cuts.map(({ bytes }) => bytes)
  await sendAll(injectorOn(t, a), frames)
  const packets = await receive(capture, frames.length)
  const whole = new Map(names.map((name) => [name, protocols[name] ?? Buffer.alloc(0)]))
  const dissected = dissect(t, [...whole.values()])
  const opinions = new Map(names.map((name, index) => [name, dissected[index] ?? []]))
  for (const [index, packet] of packets.entries()) {
    const { name = '', bytes = Buffer.alloc(0) } = cuts[index] ?? {}
    const title = `${name}, ${String(bytes.length)} bytes of it`
    const parsed = packet.parse()
    const wanted = expected(opinions.get(name) ?? [], whole.get(name) ?? Buffer.alloc(0))
    for (const [layer, value] of Object.entries(present(parsed))) {
      const other: unknown = wanted[layer as keyof typeof wanted]
      if (['link', 'ip', 'tcp'].includes(layer)) t.like(value, comparable(layer, parsed, other), title)
      else t.deepEqual(value, other, title)
    }
    t.true(Buffer.from(wanted.payload, 'hex').subarray(0, parsed.payload.length).equals(parsed.payload), title)
  }
})

/** Behind the header that was cut, the ethertype and the protocol are those of the last one seen. */
function comparable(layer: string, parsed: ParsedPacket, other: unknown): Record<string, unknown> {
  const fields = { ...(other as Record<string, unknown>) }
  if (layer === 'link' && parsed.error?.layer === 'vlan') delete fields.etherType
  if (layer === 'ip' && parsed.error?.message.includes('extension') === true) {
    delete fields.protocol
    delete fields.fragment
  }
  return fields
}

const datagram = udp(1000, 2000, Buffer.from('payload'))

test.serial('every error has a frame, and the layers before it are there', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const changed = (bytes: Buffer, at: number, value: number): Buffer => {
    const copy = Buffer.from(bytes)
    copy[at] = value
    return copy
  }
  const segment = ethernet(0x0800, ipv4(6, tcp(2, '020405b4', Buffer.from('x'))))
  const cases: readonly [keyof typeof ParseError, string, Buffer][] = [
    ['linkLength', 'link', ethernet(100, Buffer.alloc(40))],
    ['vlanTruncated', 'vlan', ethernet(0x8100, Buffer.from([0, 1]), [0x88a8, 5])],
    ['arpTruncated', 'arp', ethernet(0x0806, Buffer.alloc(7))],
    ['ipTruncated', 'ip', ethernet(0x86dd, ipv6(17, datagram).subarray(0, 39))],
    ['ipMalformed', 'ip', changed(segment, 14, 0x44)],
    ['ipLength', 'ip', ethernet(0x0800, ipv4(17, datagram, { length: 1400 }))],
    ['ipLength', 'ip', ethernet(0x0800, ipv4(17, datagram, { length: 19 }))],
    ['extensionTruncated', 'ip', ethernet(0x86dd, ipv6(0, Buffer.from([17, 3, 0, 0, 0, 0, 0, 0])))],
    ['extensionMalformed', 'ip', ethernet(0x0800, ipv4(51, Buffer.concat([Buffer.from([17, 0]), Buffer.alloc(20)])))],
    ['tcpTruncated', 'tcp', ethernet(0x0800, ipv4(6, Buffer.alloc(19)))],
    ['tcpMalformed', 'tcp', changed(segment, 46, 0x40)],
    ['tcpOptions', 'tcp', changed(segment, 55, 1)],
    ['udpTruncated', 'udp', ethernet(0x0800, ipv4(17, Buffer.alloc(7)))],
    ['udpLength', 'udp', ethernet(0x0800, ipv4(17, udp(1, 2, Buffer.from('x'), 4)))],
    ['udpLength', 'udp', ethernet(0x0800, ipv4(17, udp(1, 2, Buffer.from('x'), 400)))],
    ['icmpTruncated', 'icmp', ethernet(0x86dd, ipv6(58, Buffer.from([128, 0, 0, 0])))],
  ]
  await sendAll(
    injectorOn(t, a),
    cases.map(([, , bytes]) => bytes),
  )
  const packets = await receive(capture, cases.length)
  for (const [index, [error, layer, bytes]] of cases.entries()) {
    const parsed = packets[index]?.parse()
    t.deepEqual(parsed?.error, packetError(ParseError[error]), `${error} (${String(index)})`)
    t.is(parsed?.error?.layer, layer)
    t.is(parsed?.link?.source, '02:00:00:00:00:01')
    const ended = /Truncated|Malformed/.test(error)
    t.is(parsed?.payload.length === 0, ended, `${error}: payload`)
    t.is(packets[index]?.length, bytes.length)
  }
  const missing = Object.keys(ParseError).filter((error) => !cases.some(([other]) => other === error))
  t.deepEqual(missing, ['linkTruncated'], 'a frame without an Ethernet header cannot be sent')
  for (const code of Object.values(ParseError)) t.truthy(packetError(code))
  t.is(packetError(0), undefined)
})

test.serial('what the snaplen cut off is no error', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { snapLen: 60 })
  const bytes = ethernet(0x0800, ipv4(17, udp(1000, 2000, Buffer.alloc(1000, 1))))
  await sendAll(injectorOn(t, a), [bytes, bytes.subarray(0, 500)])
  const [whole, short] = await receive(capture, 2)
  t.true(whole?.truncated)
  t.is(whole?.parse().error, undefined)
  t.deepEqual(whole?.parse().udp, { sourcePort: 1000, destinationPort: 2000, length: 1008 })
  t.is(whole?.parse().payload.length, 18)
  t.is(short?.parse().error?.layer, 'ip', 'there was not more on the wire')
})

test.serial('tags that are left out of the frame are not parsed', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { vlan: 'metadata' })
  const [outer, inner] = [
    { tpid: 0x88a8, tci: 5 },
    { tpid: 0x8100, tci: 6 },
  ]
  await sendAll(injectorOn(t, a), [tagged(60, outer, inner), frame(60)])
  await eachBatch(t, capture, 2, (batch) => {
    t.deepEqual([...batch.parse().vlanId], [6, 0xffff])
    t.deepEqual(
      [...batch].map((packet) => packet.parse().vlans.map(({ id }) => id)),
      [[6], []],
    )
  })
})

test.serial('columns and views die with their batch; values and copies do not', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const bytes = ethernet(0x0800, ipv4(6, tcp(2, '020405b4', Buffer.from('payload'))))
  await sendAll(injectorOn(t, a), [bytes])
  await capture.readable({ signal: AbortSignal.timeout(5000) })
  const batch = capture.nextBatch()
  const packet = batch?.at(0)
  if (batch === undefined || packet === undefined) return void t.fail('a packet comes')
  const columns = batch.parse()
  t.is(columns.sourcePort[0], 50_000)
  t.is(batch.parse(), columns, 'a batch is parsed once')
  const parsed = packet.parse()
  const owned = packet.copy()
  t.is(parsed.payload.toString(), 'payload')
  t.is(parsed.payload.buffer, batch.buffer.buffer, 'the payload is a view')
  batch.release()
  for (const column of Object.values(columns)) t.is((column as Uint8Array).length, 0)
  t.is(parsed.tcp?.sourcePort, 50_000)
  t.is(parsed.payload.length, 0)
  t.is(parsed.tcp?.options[0]?.data.length, 0)
  t.throws(() => batch.parse(), { code: 'ERR_NETRING_RELEASED' })
  t.throws(() => packet.parse(), { code: 'ERR_NETRING_RELEASED' })
  capture.close()
  t.is(owned.parse().payload.toString(), 'payload')
})

test.serial('each batch has columns of its own, and closing empties them all', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockTimeoutMs: 1 })
  const injector = injectorOn(t, a)
  const next = async (port: number): Promise<Batch> => {
    await sendAll(injector, [ethernet(0x0800, ipv4(17, udp(port, 9, Buffer.from('payload'))))])
    await capture.readable({ signal: AbortSignal.timeout(5000) })
    const batch = capture.nextBatch()
    if (batch === undefined) throw new Error('a packet comes')
    return batch
  }
  const first = await next(1)
  const second = await next(2)
  const columns = [first.parse(), second.parse()]
  t.deepEqual(
    columns.map(({ sourcePort }) => [...sourcePort]),
    [[1], [2]],
  )
  first.release()
  const third = await next(3)
  t.deepEqual([...third.parse().sourcePort], [3])
  t.deepEqual([...second.parse().sourcePort], [2], 'memory that is used again is not that of a live batch')
  const { sourcePort } = third.parse()
  capture.close()
  t.is(sourcePort.length, 0)
  t.is(columns[1]?.error.length, 0)
})

test.serial('columns that were overwritten are noticed', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  await sendAll(injectorOn(t, a), [frame(60)])
  await eachBatch(t, capture, 1, (batch) => {
    const { offset, capturedLength, originalLength } = batch.columns
    t.is(originalLength[0], 60)
    for (const value of [batch.buffer.length, 0xffff_ffff]) {
      const [before = 0] = offset
      offset[0] = value
      t.throws(() => batch.parse(), { code: 'ERR_NETRING_IO' })
      offset[0] = before
    }
    capturedLength[0] = 0xffff_ffff
    t.throws(() => batch.parse(), { code: 'ERR_NETRING_IO' })
    capturedLength[0] = 60
    batch.buffer.fill(0x45)
    t.is(batch.parse().etherType[0], 0x4545)
  })
})

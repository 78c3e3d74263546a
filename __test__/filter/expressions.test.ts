/** Expressions on live packet sockets: what they let in is what tcpdump sees with the same ones. */
import test, { type ExecutionContext } from 'ava'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NetringError, PacketFilter, type Filter } from '../../src/index.js'
import { frame, hex, numbers, numbered, udp } from '../../testkit/frames.mjs'
import { ethernet, ipv4, ipv6, udp as datagram } from '../../testkit/headers.mjs'
import { channelOn, takeAll, drained } from '../helpers/channel.js'
import { flood } from '../helpers/child.js'
import { compile } from '../helpers/compile.js'
import { OTHER, typed, types } from '../helpers/ethertypes.js'
import { ETHERTYPE } from '../../testkit/frames.mjs'
import { testThatNeeds, tun } from '../helpers/needs.js'
import { network, type End } from '../helpers/network.js'
import { readFrames } from '../helpers/tcpdump.js'
import { captureOn, injectorOn, receive, receiveFor, sendAll, until } from '../helpers/traffic.js'

/** The last frame of a run, which every filter here lets in. */
const marker = typed(OTHER, 0xffff)

const withMarker = (expression: string): string => `ether proto 0x88b6 or (${expression})`

const query = Buffer.from('question')
const packet = ipv4(17, datagram(1000, 53, query), { source: '10.0.0.1', destination: '10.0.0.2' })
const packet6 = ipv6(17, datagram(53, 2000, query))
const [five, provider, customer] = [[0x8100, 5] as const, [0x88a8, 7] as const, [0x8100, 0xe02a] as const]

const frames = [
  ethernet(0x0800, packet),
  ethernet(0x0800, packet, five),
  ethernet(0x0800, packet, provider, customer),
  ethernet(0x86dd, packet6),
  ethernet(0x86dd, packet6, five),
  udp(1000, 80, 'web'),
  udp(1000, 53, 'answer', true),
  frame(60, 1),
  frame(1000, 2),
  ethernet(ETHERTYPE, Buffer.alloc(46, 3), provider),
]

const expressions = [
  'udp port 53',
  'udp dst port 53',
  'tcp',
  'ip src 10.0.0.2',
  'not ip',
  'ip6',
  'greater 500',
  'less 60',
  'vlan',
  'vlan 5',
  'vlan 5 and udp port 53',
  'vlan 5 and ip6',
  'vlan and vlan',
  'vlan 7 and vlan 42 and udp',
  'not vlan',
  'ether proto 0x88b5',
  'ether[12:2] = 0x0800',
  'ether[14] = 0x45 and not tcp',
  'len > 60',
]

/** tcpdump with an expression, not optimised, which libpcap does wrongly; what it has seen once the marker came. */
async function tcpdumpUntilMarker(t: ExecutionContext, at: End, expression: string): Promise<() => Promise<string[]>> {
  const folder = mkdtempSync(join(tmpdir(), 'netring-'))
  const file = join(folder, 'seen.pcap')
  const args = [
    'netns',
    'exec',
    at.netns,
    'tcpdump',
    '-Z',
    'root',
    '-i',
    at.name,
    '-w',
    file,
    '-U',
    '-s',
    '0',
    '-O',
    expression,
  ]
  const child = spawn('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const exit = once(child, 'exit')
  t.teardown(() => {
    child.kill()
    rmSync(folder, { recursive: true })
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  if (!(await until(() => said.includes('listening on')))) throw new Error(`tcpdump: ${said}`)
  return async () => {
    let seen: string[] = []
    await until(() => (seen = readFrames(file)).includes(marker.toString('hex')))
    child.kill('SIGINT')
    await exit
    return seen
  }
}

for (const way of ['incoming', 'outgoing'] as const) {
  test.serial(`an expression lets in what tcpdump sees with it, ${way}`, async (t) => {
    const { a, b } = network(t)
    const injector = injectorOn(t, way === 'incoming' ? a : b, { qdiscBypass: false })
    for (const expression of expressions) {
      const filter = withMarker(expression)
      const seen = await tcpdumpUntilMarker(t, b, filter)
      const capture = captureOn(t, b, { filter })
      await sendAll(injector, [...frames, marker])
      const expected = await seen()
      const packets = await receive(capture, expected.length)
      t.deepEqual(hex(packets.map(({ data }) => data)), expected, expression)
      t.is(capture.stats().packets, expected.length, expression)
      capture.close()
    }
  })
}

test.serial('an expression knows which way a packet goes', async (t) => {
  const { a, b } = network(t)
  for (const [filter, wanted] of [
    ['inbound', [1]],
    ['ether proto 0x88b5 and outbound', [2]],
    ['not outbound', [1]],
  ] as const) {
    const capture = captureOn(t, b, { filter })
    await sendAll(injectorOn(t, a), [frame(60, 1)])
    await sendAll(injectorOn(t, b, { qdiscBypass: false }), [frame(60, 2)])
    t.deepEqual(numbers(await receive(capture, 1)), wanted, filter)
    t.deepEqual(await receiveFor(capture, 30), [])
    capture.close()
  }
})

test.serial('an expression means a tagged frame as one without its tag cannot', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  for (const [expression, wanted] of [
    ['vlan 5 and udp port 53', [1, 4]],
    ['vlan and vlan 42', [2]],
    ['udp port 53 and not vlan', [0, 3, 6]],
  ] as const) {
    for (const filter of [
      expression,
      PacketFilter.compile(expression),
      PacketFilter.compile(expression, { vlan: 'metadata' }),
    ]) {
      const capture = captureOn(t, b, { filter })
      await sendAll(injector, frames)
      const packets = await receive(capture, wanted.length)
      t.deepEqual(hex(packets.map(({ data }) => data)), hex(wanted.map((index) => frames[index]!)), expression)
      t.is(capture.stats().packets, wanted.length)
      capture.close()
    }
  }
})

testThatNeeds(tun, 'on a tun device an expression is about packets that begin with IP', async (t) => {
  const { b } = network(t)
  const program = compile('tun-write.c')
  t.teardown(program.remove)
  const writer = spawn('ip', ['netns', 'exec', b.netns, program.path, 'tun9'], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => {
    writer.stdin.end()
  })
  await once(writer.stdout, 'data')
  const packets = [packet, packet6, ipv4(17, datagram(1, 80, query)), ipv4(6, Buffer.alloc(20))].map((bytes) =>
    Buffer.from(bytes),
  )
  for (const [expression, wanted] of [
    ['udp port 53', [0, 1]],
    ['ip and udp', [0, 2]],
    ['ip6', [1]],
    ['tcp', [3]],
  ] as const) {
    const capture = captureOn(
      t,
      { ...b, name: 'tun9' },
      { filter: `(${expression}) and inbound`, ignoreOutgoing: true },
    )
    t.is(capture.linkType, 'raw')
    writer.stdin.write(packets.map((bytes) => `${bytes.toString('hex')}\n`).join(''))
    const got = await receive(capture, wanted.length)
    t.deepEqual(hex(got.map(({ data }) => data)), hex(wanted.map((index) => packets[index]!)), expression)
    capture.close()
  }
  // The addresses of a link layer that is not there.
  t.throws(() => captureOn(t, { ...b, name: 'tun9' }, { filter: 'ether host 02:00:00:00:00:01' }), {
    code: 'ERR_NETRING_FILTER',
  })
})

test.serial('a capture opened under traffic, and one whose expression is replaced, see no stray packet', async (t) => {
  const { a, b } = network(t)
  const sending = await flood(t, a, [ETHERTYPE, OTHER])
  const [one, other] = ['ether proto 0x88b5', PacketFilter.compile('ether proto 0x88b6')] as const
  const capture = captureOn(t, b, { filter: one })
  for (let round = 0; round < 6; round++) {
    const packets = await receive(capture, 500)
    t.deepEqual(types(packets), [round % 2 === 0 ? ETHERTYPE : OTHER])
    capture.setFilter(round % 2 === 0 ? other : one)
  }
  capture.detachFilter()
  const seen = await receive(capture, 2000)
  t.deepEqual(types(seen).sort(), [ETHERTYPE, OTHER])
  t.true((await sending.stop()) > 0)
})

test.serial('a channel takes expressions when it is opened and later', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const channel = channelOn(t, b, { filter: 'ether[17] & 1 = 1' })
  await sendAll(injector, numbered(20))
  await drained(channel, 10)
  t.deepEqual(numbers(takeAll(channel)), [1, 3, 5, 7, 9, 11, 13, 15, 17, 19])
  channel.setFilter(PacketFilter.compile('ether[17] < 3'))
  await sendAll(injector, numbered(20))
  await drained(channel, 3)
  t.deepEqual(numbers(takeAll(channel)), [0, 1, 2])
})

test.serial('snapLen cuts what an expression lets in, and so does the filter’s own', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  for (const [filter, snapLen, wanted] of [
    ['ether proto 0x88b5', 64, 64],
    [PacketFilter.compile('ether proto 0x88b5', { snapLen: 80 }), 262_144, 80],
    [PacketFilter.compile('ether proto 0x88b5', { snapLen: 80 }), 70, 70],
  ] as const) {
    const capture = captureOn(t, b, { filter, snapLen })
    await sendAll(injector, [frame(100, 1), typed(OTHER, 2, 100)])
    const packets = await receive(capture, 1)
    t.deepEqual(
      packets.map(({ length, originalLength }) => [length, originalLength]),
      [[wanted, 100]],
    )
    t.deepEqual(await receiveFor(capture, 30), [])
    capture.close()
  }
})

test.serial(
  'an expression that is wrong or cannot run here is refused with its place, and what was is as it was',
  async (t) => {
    const { a, b } = network(t)
    const injector = injectorOn(t, a)
    const capture = captureOn(t, b, { filter: 'ether[17] = 1' })
    for (const [filter, message] of [
      ['tcp port http or', /^filter "tcp port http or": .*\(character 17\)/],
      ['ip and nonsuch foo', /\(characters 16 to 18\)/],
      ['ip protochain 6', /loop/],
      ['host host.invalid', /host\.invalid.*PacketFilter\.compileAsync\(\)/],
      [Array.from({ length: 5000 }, (_, at) => `ether[${String(at)}] = 1`).join(' and '), /\d{4,} instructions.*4096/],
      ['tcp and udp', /no packet can match/],
    ] as const) {
      const expected = { instanceOf: NetringError, code: 'ERR_NETRING_FILTER', message } as const
      t.throws(() => captureOn(t, b, { filter }), expected)
      const error = t.throws(() => {
        capture.setFilter(filter)
      }, expected) as NetringError | undefined
      t.is(error?.interface, b.name)
    }
    await sendAll(injector, numbered(3))
    t.deepEqual(numbers(await receive(capture, 1)), [1])
  },
)

test.serial('what looks like a PacketFilter and is none is an argument error', (t) => {
  const { b } = network(t)
  const filter = { expression: 'tcp', linkType: 'ethernet' } as unknown as Filter
  t.throws(() => captureOn(t, b, { filter }), { code: 'ERR_INVALID_ARG_VALUE' })
})

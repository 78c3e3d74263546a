/** PacketFilter: expressions compiled, and run on bytes. */
import test from 'ava'
import { execFileSync } from 'node:child_process'
import { NetringError, PacketFilter, type PacketFilterOptions } from '../../src/index.js'
import { frame, numbered, udp } from '../../testkit/frames.mjs'
import { ethernet, ipv4, udp as datagram } from '../../testkit/headers.mjs'
import { network } from '../helpers/network.js'
import { captureOn, injectorOn, sendAll } from '../helpers/traffic.js'

const refused = (message: RegExp) => ({ instanceOf: NetringError, code: 'ERR_NETRING_FILTER', message }) as const

test('it tells what it is', (t) => {
  const filter = PacketFilter.compile('udp port 53')
  t.is(filter.expression, 'udp port 53')
  t.is(filter.linkType, 'ethernet')
  t.is(PacketFilter.compile('udp', { linkType: 'raw' }).linkType, 'raw')
  t.is(PacketFilter.compile('udp', { linkType: 113 }).linkType, 'linuxSll')
  t.is(filter.instructions, filter.instructions)
  t.true(Object.isFrozen(filter.instructions))
  t.like(filter.instructions.at(-2), { code: 6, k: 262_144 })
  t.like(PacketFilter.compile('udp', { snapLen: 96 }).instructions.at(-2), { code: 6, k: 96 })
})

test('it prints as tcpdump -d does', (t) => {
  for (const expression of ['ip', 'ether proto 0x88b5', 'greater 100', 'ip proto 17']) {
    const printed = execFileSync('tcpdump', ['-d', '-y', 'EN10MB', expression], { encoding: 'utf8' })
    t.is(String(PacketFilter.compile(expression)).trimEnd(), printed.trimEnd(), expression)
  }
})

test('it matches bytes of its link type', (t) => {
  const question = udp(1000, 53, 'question')
  const dns = PacketFilter.compile('udp port 53')
  t.true(dns.matches(question))
  t.false(dns.matches(udp(1000, 54, 'other')))
  t.false(dns.matches(question.subarray(0, 30)), 'cut before the ports')
  t.false(dns.matches(new Uint8Array()))
  t.true(PacketFilter.compile('udp port 53', { linkType: 'raw' }).matches(question.subarray(14)))
  t.true(PacketFilter.compile('udp port domain').matches(question), 'a service by its name')
  const long = PacketFilter.compile('greater 1000')
  t.false(long.matches(question))
  t.true(long.matches(question, 1500), 'the length on the wire counts')
  t.true(
    PacketFilter.compile('vlan 5 and udp').matches(
      ethernet(0x0800, ipv4(17, datagram(1, 2, Buffer.alloc(4))), [0x8100, 5]),
    ),
  )
  t.true(PacketFilter.compile('').matches(question), 'the empty expression is true')
  t.true(PacketFilter.compile('ip protochain 17').matches(question), 'loops run here')
})

test('broadcast needs a mask, and a mask is one', (t) => {
  const options = { netmask: '255.255.255.0' }
  const packet = ethernet(0x0800, ipv4(17, Buffer.alloc(8), { source: '10.0.0.1', destination: '10.0.0.255' }))
  t.true(PacketFilter.compile('ip broadcast', options).matches(packet))
  t.throws(() => PacketFilter.compile('ip broadcast'), refused(/netmask/))
  t.throws(() => PacketFilter.compile('ip', { netmask: '255.255' }), { code: 'ERR_INVALID_ARG_VALUE' })
})

test('where the tag is decides which program it is', (t) => {
  const metadata = PacketFilter.compile('vlan 5', { vlan: 'metadata' })
  t.true(
    metadata.instructions.some(({ k }) => k === 0xffff_f030),
    'it asks whether there is a tag: SKF_AD_VLAN_TAG_PRESENT',
  )
  t.notDeepEqual(metadata.instructions, PacketFilter.compile('vlan 5').instructions)
  t.notThrows(() => PacketFilter.compile('inbound', { vlan: 'metadata' }))
  t.throws(() => PacketFilter.compile('inbound'), refused(/live/))
})

test('mistakes are told with their place, whatever they are', (t) => {
  for (const [expression, message] of [
    ['tcp port http or', /\(character 17\)$/],
    ['ip or (udp', /\(character 7\)$/],
    ['port 70000', /\(characters 1 to 10\)$/],
    ['ünd', /\(character/],
    ['net 10.0.0.1/8', /\(characters/],
  ] as const) {
    t.throws(() => PacketFilter.compile(expression), refused(message), expression)
  }
  t.throws(() => PacketFilter.compile('tcp', { linkType: 147 }), refused(/link type 147/))
  t.throws(() => PacketFilter.compile('vlan', { linkType: 'raw' }), refused(/VLAN/))
})

test('arguments that are none are refused by name', async (t) => {
  for (const [expression, options, code, message] of [
    [7, {}, 'ERR_INVALID_ARG_TYPE', /^expression/],
    ['ip', { linkType: 'token ring' }, 'ERR_INVALID_ARG_VALUE', /^options\.linkType/],
    ['ip', { linkType: -1 }, 'ERR_OUT_OF_RANGE', /^options\.linkType/],
    ['ip', { snapLen: 0 }, 'ERR_OUT_OF_RANGE', /^options\.snapLen/],
    ['ip', { netmask: 7 }, 'ERR_INVALID_ARG_TYPE', /^options\.netmask/],
    ['ip', { vlan: 'both' }, 'ERR_INVALID_ARG_VALUE', /^options\.vlan/],
    ['ip', { optimize: true }, 'ERR_INVALID_ARG_VALUE', /^options\.optimize/],
  ] as const) {
    const call = [expression as string, options as PacketFilterOptions] as const
    t.throws(() => PacketFilter.compile(...call), { code, message })
    await t.throwsAsync(PacketFilter.compileAsync(...call), { code, message })
  }
  t.throws(() => new (PacketFilter as unknown as new () => PacketFilter)(), { code: 'ERR_ILLEGAL_CONSTRUCTOR' })
  const filter = PacketFilter.compile('ip')
  t.throws(() => filter.matches('bytes' as unknown as Uint8Array), { code: 'ERR_INVALID_ARG_TYPE' })
  t.throws(() => filter.matches(new Uint8Array(60), -1), { code: 'ERR_OUT_OF_RANGE' })
})

test('host names are looked up where that may take time, and nowhere else', async (t) => {
  t.throws(() => PacketFilter.compile('host localhost'), refused(/localhost.*compileAsync/))
  const filter = await PacketFilter.compileAsync('ip host localhost')
  const packet = ethernet(0x0800, ipv4(17, Buffer.alloc(8), { source: '127.0.0.1', destination: '127.0.0.1' }))
  t.true(filter.matches(packet))
  t.false(filter.matches(udp(1, 2, '')))
  t.is(filter.expression, 'ip host localhost')
  const plain = await PacketFilter.compileAsync('udp')
  t.deepEqual(plain.instructions, PacketFilter.compile('udp').instructions)
  await t.throwsAsync(PacketFilter.compileAsync('host nonsuch.invalid'), refused(/nonsuch\.invalid/))
  await t.throwsAsync(PacketFilter.compileAsync('tcp port http or'), refused(/character 17/))
})

test('a look-up ends with its signal', async (t) => {
  const reason = new Error('enough')
  await t.throwsAsync(PacketFilter.compileAsync('ip', { signal: AbortSignal.abort(reason) }), { is: reason })
  const controller = new AbortController()
  const compiling = PacketFilter.compileAsync('host nonsuch.invalid', { signal: controller.signal })
  controller.abort(reason)
  await t.throwsAsync(compiling, { is: reason })
})

test.serial('it selects packets of a batch, by the batch’s own link type', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  await sendAll(injectorOn(t, a), [...numbered(10), udp(1000, 53, 'question'), frame(1000, 11)])
  const filters = [
    PacketFilter.compile('ether proto 0x88b5 and ether[17] & 1 = 1'),
    PacketFilter.compile('udp port 53'),
    PacketFilter.compile('greater 500'),
    PacketFilter.compile('udp', { linkType: 'raw' }),
    PacketFilter.compile('tcp'),
  ]
  const found = filters.map((): number[] => [])
  for (let seen = 0; seen < 12;) {
    const batch = capture.nextBatchBlocking(1000)
    if (batch === undefined) break
    for (const [at, filter] of filters.entries()) {
      const indices = filter.select(batch)
      t.true(indices instanceof Uint32Array)
      found[at]?.push(...Array.from(indices, (index) => seen + index))
    }
    seen += batch.length
    batch.release()
    t.throws(() => filters[0]?.select(batch), { code: 'ERR_NETRING_RELEASED' })
  }
  t.deepEqual(found, [[1, 3, 5, 7, 9, 11], [10], [11], [10], []])
})

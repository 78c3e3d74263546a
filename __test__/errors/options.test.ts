/** What is wrong with options is said by name, before anything is opened. */
import test from 'ava'
import { Capture, type CaptureOptions, ChannelCapture, Injector, NetringError } from '../../src/index.js'
import { type Code, errorOf, named, openDescriptors, range, type, value } from '../helpers/arguments.js'
import { network } from '../helpers/network.js'

type Case = readonly [options: object, code: Code, name: string]

/** What is wrong for any number, boolean or string. */
function wrongNumbers(key: string, least: number, most: number): Case[] {
  const name = `options.${key}`
  return [
    ...[least - 1, most + 1, 1.5, NaN, Infinity, -Infinity].map((wrong): Case => [{ [key]: wrong }, range, name]),
    ...['1', null, {}, 1n, true].map((wrong): Case => [{ [key]: wrong }, type, name]),
  ]
}

const wrongBooleans = (key: string): Case[] =>
  [0, 1, 'true', null, {}].map((wrong): Case => [{ [key]: wrong }, type, `options.${key}`])

const wrongChoices = (key: string): Case[] => [
  ...['', 'no such', 'SOFTWARE'].map((wrong): Case => [{ [key]: wrong }, value, `options.${key}`]),
  ...[1, null, {}].map((wrong): Case => [{ [key]: wrong }, type, `options.${key}`]),
]

const wrongStrings = (key: string): Case[] => [
  ...['', 'a\0b'].map((wrong): Case => [{ [key]: wrong }, value, `options.${key}`]),
  ...[1, null, {}].map((wrong): Case => [{ [key]: wrong }, type, `options.${key}`]),
]

const UINT_MAX = 0xffff_ffff

const INT_MAX = 0x7fff_ffff

const captureCases: readonly Case[] = [
  [{ blocksize: 4096 }, value, 'options.blocksize'],
  [{ interface: 'eth0' }, value, 'options.interface'],
  ...['blockSize', 'blockCount', 'frameSize', 'snapLen'].flatMap((key) => wrongNumbers(key, 1, UINT_MAX)),
  ...['blockTimeoutMs', 'busyPollUs', 'receiveBufferBytes'].flatMap((key) => wrongNumbers(key, 0, INT_MAX)),
  ...[-1, NaN].map((wrong): Case => [{ pollTimeoutMs: wrong }, range, 'options.pollTimeoutMs']),
  [{ pollTimeoutMs: '5' }, type, 'options.pollTimeoutMs'],
  ...['fillRxhash', 'promiscuous', 'ignoreOutgoing', 'reusePort', 'receiveBufferForce'].flatMap(wrongBooleans),
  ...['profile', 'timestampSource', 'vlan'].flatMap(wrongChoices),
  ...wrongStrings('netns'),
  ...[null, 1, 'hash', []].map((wrong): Case => [{ fanout: wrong }, type, 'options.fanout']),
  [{ fanout: {} }, type, 'options.fanout.mode'],
  [{ fanout: { mode: 'hash' } }, type, 'options.fanout.group'],
  [{ fanout: { mode: 'lb', group: 1 } }, value, 'options.fanout.mode'],
  [{ fanout: { mode: 1, group: 1 } }, type, 'options.fanout.mode'],
  ...[-1, 65536, 1.5].map((group): Case => [{ fanout: { mode: 'hash', group } }, range, 'options.fanout.group']),
  [{ fanout: { mode: 'hash', group: 'any' } }, type, 'options.fanout.group'],
  [{ fanout: { mode: 'hash', group: 1, rollover: 1 } }, type, 'options.fanout.rollover'],
  [{ fanout: { mode: 'hash', group: 1, defrag: 1 } }, type, 'options.fanout.defrag'],
  [{ fanout: { mode: 'hash', group: 1, ignoreOutgoing: 1 } }, type, 'options.fanout.ignoreOutgoing'],
  [{ fanout: { mode: 'hash', group: 1, flags: 1 } }, value, 'options.fanout.flags'],
  [{ fanout: { mode: 'cbpf', group: 1, program: [] } }, value, 'options.fanout.program'],
  [{ fanout: { mode: 'ebpf', group: 1, program: { fd: '3' } } }, type, 'options.fanout.program.fd'],
  [{ filter: 7 }, type, 'options.filter'],
  [{ filter: [] }, value, 'options.filter'],
]

const channelCases: readonly Case[] = [
  ...captureCases,
  ...wrongNumbers('capacity', 1, UINT_MAX),
  ...wrongNumbers('capacityBytes', 1, Number.MAX_SAFE_INTEGER),
  ...wrongChoices('whenFull'),
]

const injectorCases: readonly Case[] = [
  [{ framesize: 4096 }, value, 'options.framesize'],
  ...wrongNumbers('frameSize', 14, 524_288),
  ...wrongNumbers('frameCount', 1, 1 << 20),
  ...wrongBooleans('qdiscBypass'),
  ...wrongChoices('onMalformed'),
  ...wrongStrings('netns'),
]

for (const [what, open, cases] of [
  ['Capture.open()', (options: object): unknown => Capture.open('lo', options), captureCases],
  ['ChannelCapture.open()', (options: object): unknown => ChannelCapture.open('lo', options), channelCases],
  ['Injector.open()', (options: object): unknown => Injector.open('lo', options), injectorCases],
] as const) {
  test.serial(`${what} names the option that is unknown, ill-typed or out of range, and opens nothing`, (t) => {
    const before = openDescriptors()
    for (const [options, code, name] of cases) {
      t.throws(() => open(options), { instanceOf: errorOf(code), code, message: named(name) }, JSON.stringify(name))
    }
    for (const options of [null, 1, 'x', []]) {
      t.throws(() => open(options as unknown as object), { instanceOf: TypeError, code: type, message: /^options / })
    }
    t.is(openDescriptors(), before)
  })
}

test.serial('sizes that cannot be a ring are ERR_NETRING_CONFIG, by name, and open nothing', (t) => {
  const { b } = network(t)
  const before = openDescriptors()
  for (const [options, message] of [
    [{ blockSize: 5000 }, /blockSize.*5000.*page/],
    [{ blockSize: 4096 * 3 + 16 }, /blockSize.*page/],
    [{ blockSize: 65536, frameSize: 131_072 }, /frameSize.*131072/],
    [{ blockSize: 1 << 30, blockCount: UINT_MAX }, /block/],
  ] as [CaptureOptions, RegExp][]) {
    t.throws(() => Capture.open(b.name, { ...options, netns: b.netns }), {
      instanceOf: NetringError,
      code: 'ERR_NETRING_CONFIG',
      message,
    })
  }
  t.is(openDescriptors(), before)
})

/** What is wrong is said by name, before anything is opened; what the system refuses says why and how to mend it. */
import test, { type ExecutionContext } from 'ava'
import { readdirSync } from 'node:fs'
import { constants, release } from 'node:os'
import {
  Capture,
  Injector,
  interfaceInfo,
  listInterfaces,
  NetringError,
  suggestFanoutThreads,
  suggestProfile,
  type CaptureOptions,
} from '../src/index.js'
import { runModule } from './helpers/child.js'
import { frame } from './helpers/frames.js'
import { lockingPastLimit, testThatNeeds } from './helpers/needs.js'
import { network, received } from './helpers/network.js'
import { captureOn, injectorOn } from './helpers/traffic.js'

const openDescriptors = (): number => readdirSync('/proc/self/fd').length

type Code = 'ERR_INVALID_ARG_TYPE' | 'ERR_INVALID_ARG_VALUE' | 'ERR_OUT_OF_RANGE'
type Case = readonly [options: object, code: Code, name: string]

const errorOf = (code: Code): typeof TypeError | typeof RangeError =>
  code === 'ERR_OUT_OF_RANGE' ? RangeError : TypeError

/** A message begins with the name of what is wrong. */
const named = (name: string): RegExp => new RegExp(`^${name.replaceAll(/[.[\]]/g, String.raw`\$&`)} `)

const type = 'ERR_INVALID_ARG_TYPE'
const value = 'ERR_INVALID_ARG_VALUE'
const range = 'ERR_OUT_OF_RANGE'

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

test.serial('a name of an interface must be a string that can be one', (t) => {
  const before = openDescriptors()
  for (const [name, code] of [
    [undefined, type],
    [null, type],
    [7, type],
    ['', value],
    ['e\0th0', value],
  ] as const) {
    const wrong = { instanceOf: TypeError, code } as const
    t.throws(() => Capture.open(name as string), { ...wrong, message: /^interfaceName / })
    t.throws(() => Injector.open(name as string), { ...wrong, message: /^interfaceName / })
    t.throws(() => interfaceInfo(name as string), { ...wrong, message: /^name / })
    t.throws(() => suggestProfile(name as string), wrong)
    t.throws(() => suggestFanoutThreads(name as string), wrong)
  }
  t.throws(() => interfaceInfo('lo', { netns: '' }), { code: value, message: /^options\.netns / })
  t.throws(() => interfaceInfo('lo', { netns: 1 } as object), { code: type, message: /^options\.netns / })
  t.throws(() => interfaceInfo('lo', { ns: 'a' } as object), { code: value, message: /^options\.ns / })
  t.throws(() => listInterfaces({ ns: 'a' } as object), { code: value, message: /^options\.ns / })
  t.is(openDescriptors(), before)
})

test.serial('an open capture names the argument that is wrong', async (t) => {
  const { b } = network(t)
  const capture = captureOn(t, b)
  for (const [options, code, name] of [
    [{ limit: 1 }, value, 'options.limit'],
    [{ count: -1 }, range, 'options.count'],
    [{ count: 1.5 }, range, 'options.count'],
    [{ count: '1' }, type, 'options.count'],
    [{ durationMs: -1 }, range, 'options.durationMs'],
    [{ durationMs: NaN }, range, 'options.durationMs'],
    [{ durationMs: '1' }, type, 'options.durationMs'],
    [{ until: new Date(NaN) }, type, 'options.until'],
    [{ until: NaN }, type, 'options.until'],
    [{ until: '2030-01-01' }, type, 'options.until'],
    [{ signal: {} }, type, 'options.signal'],
    [{ signal: null }, type, 'options.signal'],
  ] as const) {
    const wrong = { instanceOf: errorOf(code), code, message: named(name) } as const
    t.throws(() => capture.packets(options as object), wrong)
    t.throws(() => capture.packetsAsync(options as object), wrong)
  }
  for (const [options, code, name] of [
    [{ sgnal: undefined }, value, 'options.sgnal'],
    [{ signal: 1 }, type, 'options.signal'],
    [7, type, 'options'],
  ] as const) {
    const wrong = { instanceOf: TypeError, code, message: named(name) } as const
    // By a throw or by a rejection: an awaiting caller sees the same.
    await t.throwsAsync(async () => {
      await capture.readable(options as object)
    }, wrong)
    await t.throwsAsync(async () => {
      await capture.recv(options as object)
    }, wrong)
  }
  t.throws(() => capture.nextBatchBlocking(-1), { instanceOf: RangeError, code: range, message: /^timeoutMs / })
  t.throws(() => capture.nextBatchBlocking('1' as unknown as number), { code: type, message: /^timeoutMs / })
  t.throws(() => capture.on('data' as 'close', () => undefined), { code: type, message: /^event / })
  t.throws(() => capture.stream({ highWaterMark: -1 }), { code: range, message: /highWaterMark/ })
  t.false(capture.closed)
})

test.serial('an open injector names the argument that is wrong, and queues nothing', async (t) => {
  const { a, b } = network(t)
  const injector = injectorOn(t, a)
  const any = (wrong: unknown): never => wrong as never
  for (const [call, code, name] of [
    [() => injector.allocate(any(undefined)), type, 'length'],
    [() => injector.allocate(any('60')), type, 'length'],
    [() => injector.allocate(-1), range, 'length'],
    [() => injector.allocate(1.5), range, 'length'],
    [() => injector.allocate(2049), range, 'length'],
    [() => injector.send(any('frame')), type, 'frame'],
    [() => injector.send(any([1, 2])), type, 'frame'],
    [() => injector.send(any(new ArrayBuffer(60))), type, 'frame'],
    [() => injector.sendBatch(any([frame(60), 'frame'])), type, 'frames[1]'],
    [() => injector.sendBatch(any('frames')), type, 'frames'],
    [() => injector.sendBatch(any(undefined)), type, 'frames'],
    [() => injector.sendBatch(any(frame(60))), type, 'stride'],
    [() => injector.sendBatch(frame(60), [60], any('60')), type, 'stride'],
    [() => injector.sendBatch(frame(60), [60], -1), range, 'stride'],
    [() => injector.sendBatch(frame(60), any(undefined), 60), type, 'lengths'],
    [() => injector.sendBatch(frame(60), any('60'), 60), type, 'lengths'],
    [() => injector.sendBatch(frame(60), [60, -1], 60), range, 'lengths[1]'],
    [() => injector.sendBatch(frame(60), any([undefined]), 60), type, 'lengths[0]'],
    [() => injector.sendBatch(frame(60), any(['60']), 60), type, 'lengths[0]'],
    [() => injector.waitDrained(any(undefined)), type, 'timeoutMs'],
    [() => injector.waitDrained(-1), range, 'timeoutMs'],
    [() => injector.on(any('drain'), () => undefined), type, 'event'],
    [() => injector.writable(any({ mark: 1 })), value, 'options.mark'],
    [() => injector.writable(any({ signal: 1 })), type, 'options.signal'],
  ] as const) {
    t.throws(call, { instanceOf: errorOf(code), code, message: named(name) }, String(call))
  }
  await t.throwsAsync(injector.drained(any({ signal: 1 })), { code: type, message: /^options\.signal / })
  await t.throwsAsync(injector.sendAsync(any('x')), { code: type, message: /^frame / })
  await t.throwsAsync(injector.sendAsync(frame(60), any({ sig: 1 })), { code: value, message: /^options\.sig / })
  await t.throwsAsync(injector.sendBatchAsync([frame(60)], any({ signal: 1 })), {
    code: type,
    message: /^options\.signal /,
  })
  t.is(injector.pendingCount, 0)
  t.is(injector.availableSlots, injector.frameCount)
  t.is(received(b), 0)
})

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

test.serial('an interface that does not exist is named', (t) => {
  const { b } = network(t)
  const before = openDescriptors()
  const name = 'nr-none0'
  for (const open of [
    () => Capture.open(name),
    () => Injector.open(name),
    () => Capture.open(name, { netns: b.netns }),
    () => Injector.open(name, { netns: b.netns }),
    () => interfaceInfo(name),
    () => interfaceInfo(name, { netns: b.netns }),
    () => suggestProfile(name),
    () => suggestFanoutThreads(name),
  ]) {
    const error = t.throws(open, {
      instanceOf: NetringError,
      code: 'ERR_NETRING_INTERFACE_NOT_FOUND',
      message: /nr-none0/,
    })
    t.is(error.interface, name)
  }
  t.throws(() => Capture.open('a-name-far-too-long-for-one'), { code: 'ERR_NETRING_INTERFACE_NOT_FOUND' })
  t.throws(() => interfaceInfo('lo', { netns: 'no-such-netns' }), {
    code: 'ERR_NETRING_CONFIG',
    message: /no-such-netns/,
  })
  t.throws(() => Injector.open('lo', { netns: '/no/such/path' }), {
    code: 'ERR_NETRING_CONFIG',
    message: /no\/such\/path/,
  })
  t.is(openDescriptors(), before)
})

test.serial('a NetringError is an Error with its code and what is known, and nothing else', (t) => {
  const { a, b } = network(t)
  const program = [{ code: 5, jt: 0, jf: 0, k: 9 }]
  const error = t.throws(() => Capture.open(b.name, { netns: b.netns, filter: program }), {
    instanceOf: NetringError,
  })
  t.true(error instanceof Error)
  t.is(error.name, 'NetringError')
  t.deepEqual(Object.entries(error).sort(), [
    ['code', 'ERR_NETRING_FILTER'],
    ['errno', constants.errno.EINVAL],
    ['interface', b.name],
    ['syscall', 'setsockopt'],
  ])
  t.regex(String(error), /^NetringError: \S/)
  t.regex(error.stack ?? '', /errors\.test/)
  t.false(error.message.includes('os error') || error.message.includes('\u001f'))
  const member = captureOn(t, a, { fanout: { mode: 'hash', group: 1 } })
  const refused = t.throws(
    () => {
      member.attachFanoutProgram(program)
    },
    { instanceOf: NetringError },
  )
  t.like(refused, {
    code: 'ERR_NETRING_SOCKOPT',
    option: 'PACKET_FANOUT_DATA',
    syscall: 'setsockopt',
    interface: a.name,
  })
  const plain = new NetringError('ERR_NETRING_IO', 'text')
  t.deepEqual(Object.entries(plain), [['code', 'ERR_NETRING_IO']])
  t.false('errno' in plain)
})

const report = (call: string): string => `
  try {
    ${call}
    console.log('{}')
  } catch ({ name, code, message, syscall, errno, interface: at }) {
    console.log(JSON.stringify({ name, code, message, syscall, errno, at }))
  }
  process.exit()`

test.serial('without CAP_NET_RAW open() says how to get it', (t) => {
  const without = ['setpriv', '--bounding-set=-net_raw', '--inh-caps=-net_raw']
  for (const call of [`netring.Capture.open('lo')`, `netring.Injector.open('lo')`]) {
    const error = runModule(report(call), without) as { message: string }
    t.like(error, {
      name: 'NetringError',
      code: 'ERR_NETRING_PERMISSION',
      syscall: 'socket',
      errno: constants.errno.EPERM,
      at: 'lo',
    })
    t.regex(error.message, /CAP_NET_RAW/)
    t.regex(error.message, /sudo setcap cap_net_raw,cap_net_admin\+ep/)
    t.regex(error.message, /docker run --cap-add=NET_RAW/)
  }
})

test.serial('without any capability interfaces can still be listed', (t) => {
  const without = ['setpriv', '--bounding-set=-all', '--inh-caps=-all']
  const names = runModule(`console.log(JSON.stringify(netring.listInterfaces().map(({ name }) => name)))`, without)
  t.deepEqual(
    names,
    listInterfaces().map(({ name }) => name),
  )
})

test.serial('without CAP_SYS_ADMIN another network namespace is refused with the reason', (t) => {
  const { b } = network(t)
  const without = ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin']
  for (const call of [
    `netring.Capture.open('vb', { netns: '${b.netns}' })`,
    `netring.Injector.open('vb', { netns: '${b.netns}' })`,
    `netring.listInterfaces({ netns: '${b.netns}' })`,
  ]) {
    const error = runModule(report(call), without) as { message: string }
    t.like(error, {
      name: 'NetringError',
      code: 'ERR_NETRING_PERMISSION',
      syscall: 'setns',
      errno: constants.errno.EPERM,
    })
    t.regex(error.message, /CAP_SYS_ADMIN/)
  }
})

/** Opens a capture in a process with an RLIMIT_MEMLOCK that its ring does not fit in, and receives with it. */
function withLowLimit(t: ExecutionContext, prefix: readonly string[]): unknown {
  const { a, b } = network(t)
  return runModule(
    `
    const capture = netring.Capture.open('${b.name}', { ...traffic.smallRing, netns: '${b.netns}' })
    await traffic.sendAll(netring.Injector.open('${a.name}', { netns: '${a.netns}' }), [frames.frame(60, 7)])
    const packets = await traffic.receive(capture, 1)
    console.log(JSON.stringify({ ring: capture.ring, numbers: packets.map(({ data }) => frames.numberOf(data)) }))
    process.exit()`,
    ['prlimit', '--memlock=65536', ...prefix],
  )
}

const ring = { blockSize: 256 * 1024, blockCount: 8 }

test.serial('with a low RLIMIT_MEMLOCK the ring is not locked, and works', (t) => {
  const outcome = withLowLimit(t, ['setpriv', '--bounding-set=-ipc_lock', '--inh-caps=-ipc_lock'])
  t.like(outcome, { ring: { ...ring, locked: false }, numbers: [7] })
})

testThatNeeds(lockingPastLimit, 'with CAP_IPC_LOCK the ring is locked whatever RLIMIT_MEMLOCK is', (t) => {
  t.like(withLowLimit(t, []), { ring: { ...ring, locked: true }, numbers: [7] })
})

test.serial('reusePort is refused by kernels from 6.14 on, by name, and taken by older ones', (t) => {
  const { b } = network(t)
  const [major = 0, minor = 0] = release().split('.').map(Number)
  const open = (): Capture => captureOn(t, b, { reusePort: true })
  if (major > 6 || (major === 6 && minor >= 14)) {
    const error = t.throws(open, {
      instanceOf: NetringError,
      code: 'ERR_NETRING_SOCKOPT',
      message: /reusePort/,
    })
    t.is(error.option, 'SO_REUSEPORT')
    t.is(error.interface, b.name)
  } else {
    t.false(open().closed)
  }
})

test.serial('an open that fails half way leaves nothing open', (t) => {
  const { b } = network(t)
  const before = openDescriptors()
  for (let round = 0; round < 50; round++) {
    t.throws(() => captureOn(t, b, { filter: [{ code: 5, jt: 0, jf: 0, k: 9 }] }), { code: 'ERR_NETRING_FILTER' })
    t.throws(
      () => captureOn(t, b, { fanout: { mode: 'cbpf', group: 'unique', program: [{ code: 5, jt: 0, jf: 0, k: 9 }] } }),
      {
        code: 'ERR_NETRING_SOCKOPT',
      },
    )
  }
  t.is(openDescriptors(), before)
})

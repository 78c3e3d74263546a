/** What the system refuses is told with its reason and how to mend it. */
import test, { type ExecutionContext } from 'ava'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { constants, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import {
  Capture,
  Injector,
  NetringError,
  interfaceInfo,
  listInterfaces,
  suggestFanoutThreads,
  suggestProfile,
  XdpSocket,
} from '../../src/index.js'
import { openDescriptors } from '../helpers/arguments.js'
import { runModule } from '../helpers/child.js'
import { lockingPastLimit, testThatNeeds } from '../helpers/needs.js'
import { network } from '../helpers/network.js'
import { captureOn } from '../helpers/traffic.js'

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
  t.regex(error.stack ?? '', /system\.test/)
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

test.serial('a namespace of a process with more rights needs CAP_SYS_PTRACE, and the error says so', (t) => {
  const without = ['setpriv', '--bounding-set=-all,+net_raw,+sys_admin', '--inh-caps=-all,+net_raw,+sys_admin']
  const call = `netring.Capture.open('lo', { netns: '/proc/' + process.ppid + '/ns/net' })`
  const error = runModule(report(call), without) as { message: string }
  t.like(error, { code: 'ERR_NETRING_PERMISSION', syscall: 'open', errno: constants.errno.EACCES, at: 'lo' })
  t.regex(error.message, /ns\/net.*CAP_SYS_PTRACE/)
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

test('a netns that is no network namespace is refused, and a FIFO does not block', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'netring-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true })
  })
  const fifo = join(folder, 'fifo')
  execFileSync('mkfifo', [fifo])
  const file = join(folder, 'file')
  writeFileSync(file, '')
  for (const netns of [fifo, file, '/proc/self/ns/uts']) {
    for (const open of [
      () => Capture.open('lo', { netns }),
      () => Injector.open('lo', { netns }),
      () => XdpSocket.open('lo', { netns }),
      () => interfaceInfo('lo', { netns }),
    ]) {
      t.throws(open, { code: 'ERR_NETRING_CONFIG', message: /no network namespace/ })
    }
  }
})

test('a ring larger than the memory that is free is refused, and nobody is killed for it', (t) => {
  const { b } = network(t)
  const blockSize = 64 * 1024 * 1024
  // A quarter of it, the least that would be tried, is twice of what there is.
  const blockCount = Math.ceil((8 * totalmem()) / blockSize)
  t.throws(() => Capture.open(b.name, { netns: b.netns, blockSize, blockCount }), {
    code: 'ERR_NETRING_MMAP',
    message: /smaller blockSize or blockCount/,
  })
})

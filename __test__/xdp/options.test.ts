/** Options that cannot be are refused by name, before any system call. */
import test from 'ava'
import { XdpSocket, type XdpOptions } from '../../src/index.js'
import { errorOf, named, range, type, value, type Code } from '../helpers/arguments.js'
import { network } from '../helpers/network.js'
import { frame } from '../../testkit/frames.mjs'
import { xdpOn, xdpTest } from '../helpers/xdp.js'

/** Were it looked for, it would not be found. */
const NOWHERE = 'netring-none'

const argument: readonly (readonly [string, object, Code])[] = [
  ['options.queues', { queues: -1 }, range],
  ['options.queues', { queues: 'each' }, type],
  ['options.queues[1]', { queues: [0, 1.5] }, range],
  ['options.mode', { mode: 'both' }, value],
  ['options.mode.prefill', { mode: {} }, type],
  ['options.mode.prefill', { mode: { prefill: 0 } }, range],
  ['options.frameSize', { frameSize: '2048' }, type],
  ['options.frameCount', { frameCount: 0 }, range],
  ['options.rxSize', { rxSize: 2 ** 21 }, range],
  ['options.needWakeup', { needWakeup: 1 }, type],
  ['options.attach', { attach: 'offload' }, value],
  ['options.zeroCopy', { zeroCopy: true }, type],
  ['options.busyPoll', { busyPoll: 20 }, type],
  ['options.busyPoll.us', { busyPoll: {} }, type],
  ['options.busyPoll.us', { busyPoll: { us: 0 } }, range],
  ['options.busyPoll.budget', { busyPoll: { us: 1, budget: 65_536 } }, range],
  ['options.busyPoll.prefer', { busyPoll: { us: 1, prefer: 'yes' } }, type],
  ['options.hugePages', { hugePages: 'yes' }, type],
  ['options.coalesceUs', { coalesceUs: -1 }, range],
  ['options.coalesceUs', { coalesceUs: 10_001 }, range],
  ['options.replace', { replace: 0 }, type],
  ['options.program.xskMapFd', { program: {} }, type],
  ['options.program.fd', { program: { xskMapFd: 3, fd: -1 } }, range],
  ['options.pollTimeoutMs', { pollTimeoutMs: -1 }, range],
  ['options.netns', { netns: '' }, value],
  ['options.queue', { queue: 0 }, value],
]

for (const [name, options, code] of argument) {
  test(`${name}: ${JSON.stringify(options)}`, (t) => {
    t.throws(() => XdpSocket.open(NOWHERE, options as XdpOptions), {
      instanceOf: errorOf(code),
      code,
      message: named(name),
    })
  })
}

const together: readonly (readonly [RegExp, object])[] = [
  [/^options\.zeroCopy 'require' .* options\.attach 'skb'/, { zeroCopy: 'require', attach: 'skb' }],
  [/^options\.rxSize.* options\.mode 'tx'/, { mode: 'tx', rxSize: 64 }],
  [/^options\.fillSize.* options\.mode 'tx'/, { mode: 'tx', fillSize: 64 }],
  [/^options\.replace.* options\.mode 'tx'/, { mode: 'tx', replace: true }],
  [/^options\.program.* options\.mode 'tx'/, { mode: 'tx', program: { xskMapFd: 3 } }],
  [/^options\.txSize.* options\.mode 'rx'/, { mode: 'rx', txSize: 64 }],
  [/^options\.completionSize.* options\.mode 'rx'/, { mode: 'rx', completionSize: 64 }],
  [/^options\.fillSize must be a power of two. Received 100/, { fillSize: 100 }],
  [/^options\.frameSize must be 2048 or 4096/, { frameSize: 1024 }],
  [/^options\.frameCount 2097152 .* 4 GiB/, { frameCount: 2 ** 21 }],
  [/^options\.frameCount 1 is not enough/, { frameCount: 1 }],
  [/^options\.frameCount 4 is not enough/, { frameCount: 4, queues: [0, 1, 2] }],
  [/^options\.mode\.prefill 4096 /, { mode: { prefill: 4096 } }],
  [/^options\.queues must name at least one/, { queues: [] }],
  [/^options\.queues must name each queue once/, { queues: [1, 0, 1] }],
  [/^options\.replace .* options\.program/, { replace: true, program: { xskMapFd: 3 } }],
]

for (const [message, options] of together) {
  test(`does not go together: ${JSON.stringify(options)}`, (t) => {
    t.throws(() => XdpSocket.open(NOWHERE, options as XdpOptions), { code: 'ERR_NETRING_CONFIG', message })
  })
}

test('defaults are exported, and cannot be changed', (t) => {
  t.true(Object.isFrozen(XdpSocket.defaults))
  t.is(XdpSocket.defaults.frameCount, 4096)
  t.throws(() => XdpSocket.open(''), { code: value })
  t.throws(() => XdpSocket.open(NOWHERE), { code: 'ERR_NETRING_INTERFACE_NOT_FOUND' })
})

xdpTest('every mode divides the frames', (t) => {
  const { a } = network(t)
  const modes = [
    ['rx', 0],
    ['tx', 256],
    ['rxtx', 128],
    [{ prefill: 200 }, 56],
  ] as const
  for (const [mode, slots] of modes) {
    const socket = xdpOn(t, a, { frameCount: 256, mode })
    t.is(socket.frameCount, slots)
    t.is(socket.frameCapacity, 1792)
    if (slots > 0) t.is(socket.availableSlots, slots)
    socket.close()
  }
  const large = xdpOn(t, a, { frameCount: 256, frameSize: 4096, rxSize: 64, fillSize: 64, txSize: 64 })
  t.is(large.frameCapacity, 3840)
})

xdpTest('what a mode cannot do is refused by name', async (t) => {
  const { a, b } = network(t)
  const config = { code: 'ERR_NETRING_CONFIG', message: /mode 'tx'/ }
  const sender = xdpOn(t, a, { mode: 'tx' })
  t.throws(() => sender.nextBatch(), config)
  t.throws(() => sender.nextBatchBlocking(0), config)
  await t.throwsAsync(sender.readable(), config)
  t.deepEqual(sender.stats(), { packets: 0, drops: 0, freezeCount: 0 })
  const receiver = xdpOn(t, b, { mode: 'rx' })
  const sends = { code: 'ERR_NETRING_CONFIG', message: /mode 'rx'/ }
  t.throws(() => receiver.allocate(60), sends)
  t.throws(() => receiver.send(frame(60)), sends)
  t.throws(() => receiver.sendBatch([frame(60)]), sends)
  t.throws(() => receiver.flush(), sends)
  await t.throwsAsync(receiver.sendBatchAsync([frame(60)]), sends)
  t.deepEqual(receiver.txStats(), { sent: 0, rejected: 0, pending: 0, bytes: 0 })
  receiver.close()
  t.deepEqual([receiver.pendingCount, receiver.rejectedSlots], [0, 0])
})

xdpTest('frames that are none are refused by name', (t) => {
  const { a } = network(t)
  const socket = xdpOn(t, a, { mode: 'tx' })
  for (const length of [0, 13, 1793]) {
    t.throws(() => socket.send(Buffer.alloc(length)), {
      code: 'ERR_NETRING_FRAME',
      message: new RegExp(`${length} bytes`),
    })
    t.throws(() => socket.sendBatch([frame(60), Buffer.alloc(length)]), {
      code: 'ERR_NETRING_FRAME',
      message: /^frame 1: /,
    })
  }
  t.throws(() => socket.allocate(1793), { code: range })
  t.is(socket.pendingCount, 0)
  t.throws(() => socket.on('error' as 'close', () => undefined), { code: type })
})

xdpTest('a queue that only receives is refused to who wants to send', (t) => {
  const { a } = network(t, { queues: 2 })
  a.run('ethtool', '-L', a.name, 'rx', '2', 'tx', '1')
  for (const mode of ['tx', 'rxtx'] as const) {
    t.throws(() => xdpOn(t, a, { mode, queues: [1, 0] }), {
      code: 'ERR_NETRING_CONFIG',
      message: /^queue 1, the first of this socket's, sends nothing: "va" has 1 transmit queues/,
    })
  }
  for (const options of [{ mode: 'rx', queues: [1] }, { queues: [0] }] as const) {
    const socket = xdpOn(t, a, options)
    t.deepEqual(socket.queues, options.queues)
    socket.close()
  }
})

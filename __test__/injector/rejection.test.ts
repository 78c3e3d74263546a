/** What cannot be sent is told with its reason, and the rest goes on. */
import test from 'ava'
import { constants } from 'node:os'
import { NetringError } from '../../src/index.js'
import { frame, numbers, upTo } from '../../testkit/frames.mjs'
import { network, received } from '../helpers/network.js'
import { captureOn, injectorOn, receive, sendAll } from '../helpers/traffic.js'

test.serial('a frame too long for the MTU is rejected with its reason; those around it arrive', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  const reasons: NetringError[] = []
  injector.on('rejected', (reason) => reasons.push(reason))
  injector.sendBatch([frame(60, 1), frame(1600, 2), frame(1514, 3), frame(1700, 4), frame(2048, 5), frame(60, 6)])
  t.is(injector.flush(), 3)
  await injector.drained()
  t.is(injector.rejectedSlots, 3)
  t.is(injector.availableSlots, injector.frameCount)
  t.deepEqual(numbers(await receive(capture, 3)), [1, 3, 6])
  t.is(reasons.length, 3)
  for (const [index, length] of [1600, 1700, 2048].entries()) {
    const reason = reasons[index]!
    t.true(reason instanceof NetringError)
    t.is(reason.code, 'ERR_NETRING_FRAME')
    t.is(reason.errno, constants.errno.EMSGSIZE)
    t.is(reason.interface, a.name)
    t.regex(reason.message, new RegExp(`\\b${String(length)}\\b.*\\b1500\\b`))
  }
  t.deepEqual(injector.txStats(), { sent: 3, rejected: 3, pending: 0, bytes: 60 + 1514 + 60 })
  t.is(received(b), 3)
})

test.serial("onMalformed 'stop': flush() throws at a refused frame and goes on behind it next time", async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a, { onMalformed: 'stop' })
  const events: NetringError[] = []
  injector.on('rejected', (reason) => events.push(reason))
  injector.sendBatch([frame(60, 1), frame(1600, 2), frame(60, 3), frame(60, 4)])
  t.throws(() => injector.flush(), {
    instanceOf: NetringError,
    code: 'ERR_NETRING_FRAME',
    message: /1600.*1500/,
  })
  t.is(injector.rejectedSlots, 1)
  t.deepEqual(numbers(await receive(capture, 1)), [1])
  t.is(injector.flush(), 2)
  t.deepEqual(numbers(await receive(capture, 2)), [3, 4])
  t.deepEqual(injector.txStats(), { sent: 3, rejected: 1, pending: 0, bytes: 180 })
  injector.send(frame(1600))
  await t.throwsAsync(injector.drained(), { code: 'ERR_NETRING_FRAME' })
  injector.send(frame(1600))
  t.throws(() => injector.waitDrained(1000), { code: 'ERR_NETRING_FRAME' })
  t.deepEqual(events, [])
})

test.serial(
  'frames too short or too long to queue throw, name their place in a batch, and queue nothing',
  async (t) => {
    const { a, b } = network(t)
    const injector = injectorOn(t, a, { frameSize: 1000 })
    const wrong = { instanceOf: NetringError, code: 'ERR_NETRING_FRAME' } as const
    for (const length of [0, 13]) {
      const short = Buffer.alloc(length)
      t.throws(() => injector.send(short), { ...wrong, message: new RegExp(`${String(length)} bytes.*14 bytes`) })
      t.throws(() => injector.sendBatch([frame(60), frame(60), short]), { ...wrong, message: /frame 2\b/ })
      t.throws(() => injector.sendBatch(Buffer.alloc(180), [60, length, 60], 60), { ...wrong, message: /frame 1\b/ })
      await t.throwsAsync(injector.sendAsync(short), wrong)
    }
    t.throws(() => injector.send(frame(1001)), { ...wrong, message: /1001 bytes.*1000 bytes/ })
    t.throws(() => injector.sendBatch([frame(60), frame(1001)]), { ...wrong, message: /frame 1\b.*1001/ })
    t.throws(() => injector.sendBatch(Buffer.alloc(4000), [60, 1001], 2000), { ...wrong, message: /frame 1\b/ })
    t.throws(() => injector.sendBatch(Buffer.alloc(100), [60, 60], 60), { ...wrong, message: /frame 1\b/ })
    await t.throwsAsync(injector.sendBatchAsync([frame(60), frame(1001)]), { ...wrong, message: /frame 1\b/ })
    t.is(injector.availableSlots, injector.frameCount)
    t.is(injector.pendingCount, 0)
    t.is(injector.flush(), 0)
    t.is(received(b), 0)
  },
)

test.serial('rejections tell the newest and count all', async (t) => {
  const { a } = network(t)
  const injector = injectorOn(t, a)
  let told = 0
  injector.on('rejected', () => told++)
  await injector.sendBatchAsync(upTo(500).map(() => frame(1600)))
  await injector.drained()
  t.is(injector.rejectedSlots, 500)
  t.true(told > 0 && told <= 500)
})

test.serial('a frame that a queueing discipline always drops is rejected; those around it arrive', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a)
  // A shaper drops what is longer than its burst, with the same errno as when it is full.
  a.run('tc', 'qdisc', 'add', 'dev', a.name, 'root', 'tbf', 'rate', '80mbit', 'burst', '1000b', 'limit', '200kb')
  const reasons: NetringError[] = []
  injector.on('rejected', (reason) => reasons.push(reason))
  await sendAll(injector, [frame(60, 1), frame(1400, 2), frame(900, 3), frame(1500, 4), frame(60, 5)])
  t.deepEqual(numbers(await receive(capture, 3)), [1, 3, 5])
  t.deepEqual(injector.txStats(), { sent: 3, rejected: 2, pending: 0, bytes: 60 + 900 + 60 })
  t.is(injector.availableSlots, injector.frameCount)
  t.deepEqual(
    reasons.map(({ code, errno, interface: at }) => [code, errno, at]),
    [1400, 1500].map(() => ['ERR_NETRING_FRAME', constants.errno.ENOBUFS, a.name]),
  )
  t.regex(reasons[0]!.message, /1400 bytes.*tc qdisc/)
  t.regex(reasons[1]!.message, /1500 bytes.*tc qdisc/)
})

test.serial("onMalformed 'stop' throws for a frame that a queueing discipline always drops, and goes on", async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const injector = injectorOn(t, a, { onMalformed: 'stop' })
  a.run('tc', 'qdisc', 'add', 'dev', a.name, 'root', 'tbf', 'rate', '80mbit', 'burst', '1000b', 'limit', '200kb')
  injector.sendBatch([frame(1400, 1), frame(60, 2)])
  await t.throwsAsync(injector.drained(), { code: 'ERR_NETRING_FRAME', message: /1400 bytes/ })
  await injector.drained()
  t.deepEqual(numbers(await receive(capture, 1)), [2])
  injector.send(frame(1400))
  t.throws(() => injector.waitDrained(60_000), { code: 'ERR_NETRING_FRAME', message: /1400 bytes/ })
  t.is(injector.rejectedSlots, 2)
})

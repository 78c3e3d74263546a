/** What is wrong with an argument is said by name, and nothing is done. */
import test from 'ava'
import {
  Capture,
  Injector,
  interfaceInfo,
  listInterfaces,
  suggestFanoutThreads,
  suggestProfile,
  XdpSocket,
} from '../../src/index.js'
import { errorOf, named, openDescriptors, range, type, value } from '../helpers/arguments.js'
import { frame } from '../../testkit/frames.mjs'
import { network, received } from '../helpers/network.js'
import { captureOn, injectorOn } from '../helpers/traffic.js'

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

test('constructors are not public and say what is', (t) => {
  for (const [name, type] of Object.entries({ Capture, Injector, XdpSocket })) {
    const construct = type as unknown as new (...args: unknown[]) => unknown
    for (const args of [[], ['lo', {}, 1]]) {
      t.throws(() => new construct(...args), {
        instanceOf: TypeError,
        code: 'ERR_ILLEGAL_CONSTRUCTOR',
        message: new RegExp(`${name}\\.open\\(\\)`),
      })
    }
  }
})

test('lengths that are moved away are none, and a Proxy of an array is refused by name', (t) => {
  const { a } = network(t)
  const injector = injectorOn(t, a)
  const lengths = new Uint32Array([60])
  structuredClone(lengths.buffer, { transfer: [lengths.buffer] })
  t.is(injector.sendBatch(frame(60), lengths, 60), 0)
  t.throws(() => injector.sendBatch(frame(60), new Proxy(new Uint32Array([60]), {}), 60), {
    code: type,
    message: /^lengths /,
  })
})

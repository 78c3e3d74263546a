/** Options of a capture, each by what it does. */
import test from 'ava'
import { Capture } from '../../src/index.js'
import { captureDefaults, profiles } from '../../src/capture/options.js'
import { frame } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { captureOn, injectorOn, receive, receiveFor, sendAll } from '../helpers/traffic.js'

test.serial('two captures on one interface both see everything', async (t) => {
  const { a, b } = network(t)
  const captures = [captureOn(t, b), captureOn(t, b)]
  await sendAll(injectorOn(t, a), [frame(60, 1), frame(60, 2)])
  for (const capture of captures) t.is((await receive(capture, 2)).length, 2)
})

test.serial('ignoreOutgoing leaves out what the host sends; without it both directions are seen', async (t) => {
  const { a } = network(t)
  const all = captureOn(t, a)
  const incoming = captureOn(t, a, { ignoreOutgoing: true })
  await sendAll(injectorOn(t, a), [frame(60)])
  const [packet] = await receive(all, 1)
  t.is(packet?.direction, 'outgoing')
  t.deepEqual(await receiveFor(incoming, 100), [])
})

test.serial('promiscuous mode is on while the capture is open, and off at once when it is closed', (t) => {
  const { b } = network(t)
  const promiscuity = (): number =>
    (JSON.parse(b.ip('-d', '-j', 'link', 'show', b.name)) as [{ promiscuity: number }])[0].promiscuity
  t.is(promiscuity(), 0)
  const first = captureOn(t, b, { promiscuous: true })
  const second = captureOn(t, b, { promiscuous: true })
  t.is(promiscuity(), 2)
  first.close()
  t.is(promiscuity(), 1)
  second.close()
  t.is(promiscuity(), 0)
})

test.serial('the ring is what was asked for', (t) => {
  const { b } = network(t)
  const capture = captureOn(t, b, { blockSize: 128 * 1024, blockCount: 5, frameSize: 4096 })
  t.like(capture.ring, { blockSize: 128 * 1024, blockCount: 5, frameSize: 4096 })
  const low = captureOn(t, b, { profile: 'lowMemory', blockSize: 65536, blockCount: 2 })
  t.like(low.ring, { blockSize: 65536, blockCount: 2 })
  t.is(Capture.defaults.blockSize, 4 * 1024 * 1024)
  t.is(Capture.defaults.blockTimeoutMs, 60)
})

test('every profile is a ring on kernels with pages of 4, 16 and 64 KiB', (t) => {
  for (const [name, changes] of Object.entries(profiles)) {
    const { blockSize, frameSize } = { ...captureDefaults, ...changes }
    for (const page of [4096, 16_384, 65_536]) t.is(blockSize % page, 0, `${name}, pages of ${page} bytes`)
    t.true(frameSize <= blockSize, name)
  }
})

test.serial('every profile opens and receives', async (t) => {
  const { a, b } = network(t)
  for (const profile of ['default', 'highThroughput', 'lowLatency', 'lowMemory', 'jumboFrames'] as const) {
    const capture = Capture.open(b.name, { profile, netns: b.netns })
    await sendAll(injectorOn(t, a), [frame(60)])
    t.is((await receive(capture, 1)).length, 1, profile)
    capture.close()
  }
})

test.serial('an interface of another network namespace is captured from this one', async (t) => {
  const { a, b } = network(t)
  const byPath = Capture.open(b.name, { blockSize: 65536, blockCount: 2, netns: `/run/netns/${b.netns}` })
  t.teardown(() => {
    byPath.close()
  })
  await sendAll(injectorOn(t, a), [frame(60)])
  t.is((await receive(byPath, 1)).length, 1)
  t.throws(() => Capture.open(b.name, { netns: 'no-such-namespace' }), {
    code: 'ERR_NETRING_CONFIG',
    message: /no-such-namespace/,
  })
  t.throws(() => Capture.open('va', { netns: b.netns }), { code: 'ERR_NETRING_INTERFACE_NOT_FOUND' })
})

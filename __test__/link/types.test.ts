/** What packets begin with: sources, their batches and interfaces say the same. */
import test from 'ava'
import { interfaceInfo } from '../../src/index.js'
import { channelOn } from '../helpers/channel.js'
import { frame } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { captureOn, injectorOn, sendAll } from '../helpers/traffic.js'
import { xdpOn, xdpTest } from '../helpers/xdp.js'

test.serial('a batch has the link type of its source', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  await sendAll(injectorOn(t, a), [frame(60)])
  const batch = capture.nextBatchBlocking(5000)
  t.is(batch?.linkType, 'ethernet')
  batch?.release()
  t.is(capture.linkType, 'ethernet')
  t.is(channelOn(t, b).linkType, 'ethernet')
  t.is(interfaceInfo(b.name, { netns: b.netns }).linkType, 'ethernet')
})

test.serial('packets of a layer-3 interface begin with the IP header', (t) => {
  const { a } = network(t)
  a.ip('tuntap', 'add', 'tun0', 'mode', 'tun')
  const tunnel = { ...a, name: 'tun0' }
  t.is(captureOn(t, tunnel).linkType, 'raw')
  t.is(interfaceInfo('tun0', { netns: a.netns }).linkType, 'raw')
})

xdpTest('an XDP socket has a link type', (t) => {
  const { b } = network(t)
  t.is(xdpOn(t, b).linkType, 'ethernet')
})

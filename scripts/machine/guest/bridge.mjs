/** A bridge between two links: packets and offloads pass through the native thread. */
import assert from 'node:assert/strict'
import { Bridge, Capture } from 'netring'
import { frames, receive, same, send } from './frames.mjs'
import { check } from './harness.mjs'
import { veth } from './system.mjs'

check('a Bridge forwards 500 frames of mixed sizes byte for byte, both ways, and counts them', async (after) => {
  veth(after, 'va', 'vb')
  veth(after, 'vc', 'vd')
  const bridge = Bridge.open('vb', 'vc')
  const end = new AbortController()
  const running = bridge.run({ signal: end.signal }).catch(() => undefined)
  after(async () => {
    end.abort()
    await running
    bridge.close()
  })
  for (const [from, to, way] of [
    ['va', 'vd', 'aToB'],
    ['vd', 'va', 'bToA'],
  ]) {
    const capture = Capture.open(to, { profile: 'lowMemory' })
    after(() => capture.close())
    const sent = frames(500)
    await send(from, sent)
    same(await receive(capture, sent.length), sent)
    assert.equal(bridge.stats()[way].forwarded, 500)
    capture.close()
  }
})

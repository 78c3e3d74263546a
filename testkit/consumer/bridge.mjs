/** A bridge between two links: packets and offloads pass through the native thread. */
import assert from 'node:assert/strict'
import { Bridge } from 'netring'
import { mixedLengths } from '../frames.mjs'
import { check } from '../tap.mjs'
import { pairs } from './network.mjs'
import { openCapture, receive, roomy, same, send } from './place.mjs'

check('a Bridge forwards 500 frames of mixed lengths byte for byte, both ways, and counts them', async (after) => {
  const [[near, left], [right, far]] = [pairs.plain.ends, pairs.second.ends]
  const bridge = Bridge.open(left, right)
  const end = new AbortController()
  const running = bridge.run({ signal: end.signal }).catch(() => undefined)
  after(async () => {
    end.abort()
    await running
    bridge.close()
  })
  for (const [from, to, way] of [
    [near, far, 'aToB'],
    [far, near, 'bToA'],
  ]) {
    const capture = openCapture(after, roomy, to)
    const frames = mixedLengths(500)
    await send(frames, from)
    same(await receive(capture, frames.length), frames)
    assert.equal(bridge.stats()[way].forwarded, 500)
    capture.close()
  }
})

/** A channel receives on a thread of its own. */
import assert from 'node:assert/strict'
import { ChannelCapture } from 'netring'
import { mixedLengths } from '../frames.mjs'
import { check } from '../tap.mjs'
import { ends, same, send } from './place.mjs'

check('a ChannelCapture loses nothing while the event loop stands still', async (after) => {
  const channel = ChannelCapture.open(ends.b, { capacity: 8192, ignoreOutgoing: true })
  after(() => channel.close())
  const frames = mixedLengths(1000)
  await send(frames)
  const started = performance.now()
  while (performance.now() - started < 1000);
  const got = []
  const signal = AbortSignal.timeout(60_000)
  while (got.length < frames.length) got.push((await channel.recv({ signal })).data)
  same(got, frames)
  assert.equal(channel.overflowed, 0)
})

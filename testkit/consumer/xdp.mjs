/** AF_XDP on veth, in copy mode, with the program in the driver and behind it. */
import assert from 'node:assert/strict'
import { mixedLengths } from '../frames.mjs'
import { check } from '../tap.mjs'
import { arrived, sendAll } from '../traffic.mjs'
import { pairs } from './network.mjs'
import { ends, openCapture, openXdp, receive, roomy, same, send } from './place.mjs'

for (const attach of ['native', 'skb']) {
  check(
    `an XdpSocket in ${attach} mode receives and sends 500 frames of mixed lengths byte for byte`,
    async (after) => {
      const socket = openXdp(after, { attach })
      console.log(`# queues ${socket.queues}, attached ${socket.attached}, zero-copy ${socket.zeroCopy}`)
      const there = mixedLengths(500)
      await send(there)
      same(await receive(socket, there.length), there)

      const capture = openCapture(after, roomy, ends.a)
      const back = mixedLengths(500, 1514, 1000)
      await sendAll(socket, back)
      const bytes = back.reduce((sum, { length }) => sum + length, 0)
      assert.deepEqual(socket.txStats(), { sent: 500, rejected: 0, pending: 0, bytes })
      same(await receive(capture, back.length), back)
    },
  )

  check(`an XdpSocket in ${attach} mode with more packets than frames counts what it lost`, async (after) => {
    const socket = openXdp(after, { attach, mode: 'rx', frameCount: 64 })
    await send(mixedLengths(1000, 1500))
    await arrived(socket, 1000)
    const { packets, drops } = socket.cumulativeStats()
    assert.equal(packets + drops, 1000)
    assert.ok(drops > 0)
    assert.equal((await receive(socket, packets)).length, packets)
    const more = mixedLengths(20, 1500, 2000)
    await send(more)
    same(await receive(socket, more.length), more)
  })

  check(
    `closing an XdpSocket in ${attach} mode empties its views, and the stack has its packets back`,
    async (after) => {
      for (let turn = 1; turn <= 3; turn++) {
        const socket = openXdp(after, { attach, frameCount: 256 })
        await send(mixedLengths(10, 1500, turn))
        const batch = socket.nextBatchBlocking(30_000)
        const views = [batch.buffer, ...[...batch].map(({ data }) => data)]
        socket.close()
        for (const view of views) assert.equal(view.length, 0)

        const capture = openCapture(after, roomy)
        const frames = mixedLengths(10, 1500, turn + 10)
        await send(frames)
        same(await receive(capture, frames.length), frames)
        capture.close()
      }
    },
  )
}

check('frames of 4096 bytes receive what fits into them', async (after) => {
  const [from, to] = pairs.long.ends
  const socket = openXdp(after, { attach: 'skb', frameSize: 4096, frameCount: 1024 }, to)
  const frames = mixedLengths(200, 3512)
  await send(frames, from)
  same(await receive(socket, frames.length), frames)
})

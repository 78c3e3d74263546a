/** AF_XDP on veth, in copy mode, with the program in the driver and behind it. */
import assert from 'node:assert/strict'
import { Capture, XdpSocket } from 'netring'
import { frames, receive, same, send } from './frames.mjs'
import { check } from './harness.mjs'
import { veth } from './system.mjs'

/** What fits into a frame of 2048 bytes and through a link of 1500. */
const LARGEST = 1514

for (const attach of ['native', 'skb']) {
  check(`an XdpSocket in ${attach} mode receives and sends 500 frames of mixed sizes byte for byte`, async (after) => {
    veth(after)
    const socket = XdpSocket.open('vb', { queues: 'all', attach })
    after(() => socket.close())
    console.log(`# queues ${socket.queues}, attached ${socket.attached}, zero-copy ${socket.zeroCopy}`)
    const there = frames(500, LARGEST)
    await send('va', there)
    same(await receive(socket, there.length), there)

    const capture = Capture.open('va', { profile: 'lowMemory' })
    after(() => capture.close())
    const back = frames(500, LARGEST, 2)
    await socket.sendBatchAsync(back)
    await socket.drained()
    assert.deepEqual(socket.txStats(), {
      sent: 500,
      rejected: 0,
      pending: 0,
      bytes: back.reduce((sum, { length }) => sum + length, 0),
    })
    same(await receive(capture, back.length), back)
  })

  check(`an XdpSocket in ${attach} mode with more packets than frames counts what it lost`, async (after) => {
    veth(after)
    const socket = XdpSocket.open('vb', { queues: 'all', attach, mode: 'rx', frameCount: 64 })
    after(() => socket.close())
    await send('va', frames(1000, 1500))
    const { packets, drops } = socket.cumulativeStats()
    assert.equal(packets + drops, 1000)
    assert.ok(drops > 0)
    assert.equal((await receive(socket, packets)).length, packets)
    const more = frames(20, 1500, 2)
    await send('va', more)
    same(await receive(socket, more.length), more)
  })

  check(
    `closing an XdpSocket in ${attach} mode empties its views and gives the stack its packets back`,
    async (after) => {
      veth(after)
      for (let turn = 1; turn <= 3; turn++) {
        const socket = XdpSocket.open('vb', { queues: 'all', attach, frameCount: 256 })
        after(() => socket.close())
        await send('va', frames(10, 1500, turn))
        const batch = socket.nextBatchBlocking(30_000)
        const views = [batch.buffer, ...[...batch].map(({ data }) => data)]
        socket.close()
        assert.deepEqual(
          views.map(({ length }) => length),
          views.map(() => 0),
        )

        const capture = Capture.open('vb', { profile: 'lowMemory' })
        const sent = frames(10, 1500, turn + 10)
        await send('va', sent)
        same(await receive(capture, sent.length), sent)
        capture.close()
      }
    },
  )
}

check('frames of 4096 bytes receive what fits into them', async (after) => {
  veth(after, 'va', 'vb', 3498)
  const socket = XdpSocket.open('vb', { queues: 'all', attach: 'skb', frameSize: 4096, frameCount: 1024 })
  after(() => socket.close())
  const sent = frames(200, 3512)
  await send('va', sent)
  same(await receive(socket, sent.length), sent)
})

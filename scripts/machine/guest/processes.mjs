/** What a process that was killed leaves: nothing. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Capture, XdpSocket } from 'netring'
import { frames, receive, same, send } from './frames.mjs'
import { check, until } from './harness.mjs'
import { child, kill, packetSockets, promiscuous, veth } from './system.mjs'

check(
  'a process killed with a batch in hand leaves no socket, and the interface no longer promiscuous',
  async (after) => {
    veth(after)
    const victim = await child(after, 'capture', 'vb')
    assert.ok(promiscuous('vb'))
    const holding = once(victim.stdout, 'data')
    await send('va', frames(20))
    assert.match(String(await holding), /^holding \d+$/)
    await kill(victim)
    await until('the socket goes', () => packetSockets() === 0)
    assert.ok(!promiscuous('vb'))
  },
)

for (const attach of ['native', 'skb']) {
  check(
    `a process killed with an XDP program in ${attach} mode leaves none: packets reach the stack again`,
    async (after) => {
      veth(after)
      const victim = await child(after, 'xdp', 'vb', attach)
      assert.throws(
        () => XdpSocket.open('vb', { queues: 'all' }),
        ({ code, message }) => code.startsWith('ERR_NETRING_') && /program/.test(message),
      )
      const holding = once(victim.stdout, 'data')
      await send('va', frames(20, 1500))
      assert.match(String(await holding), /^holding \d+$/)
      await kill(victim)

      const capture = Capture.open('vb', { profile: 'lowMemory' })
      after(() => capture.close())
      const sent = frames(20, 1500, 3)
      let again
      // The program goes when the kernel has closed what the process had open, which is after its end was told.
      await until('the interface is free', () => {
        try {
          again = XdpSocket.open('vb', { queues: 'all', attach })
          return true
        } catch (error) {
          if (!/program/.test(error.message)) throw error
          return false
        }
      })
      again.close()
      await send('va', sent)
      same(await receive(capture, sent.length), sent)
    },
  )
}

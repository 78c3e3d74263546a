/** What a process that was killed leaves: nothing. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { XdpSocket } from 'netring'
import { mixedLengths } from '../frames.mjs'
import { check } from '../tap.mjs'
import { ends, openCapture, openXdp, packetSockets, promiscuous, receive, roomy, same, send, until } from './place.mjs'

/** A process that runs child.mjs and has said that it is ready. */
async function start(after, ...args) {
  const file = fileURLToPath(new URL('child.mjs', import.meta.url))
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  after(() => child.kill('SIGKILL'))
  assert.equal(await said(child), 'ready')
  return child
}

/** What it says next. */
async function said(child) {
  const [text] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(() => ['nothing'])])
  return String(text)
}

/** Has it take a batch, and ends it as the kernel does when memory is short. */
async function killHolding(child, frames) {
  const holding = said(child)
  await send(frames)
  assert.match(await holding, /^holding \d+$/)
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

check(
  'a process killed with a batch in hand leaves no socket, and the interface no longer promiscuous',
  async (after) => {
    const before = packetSockets()
    const child = await start(after, 'capture', ends.b)
    assert.ok(promiscuous(ends.b))
    await killHolding(child, mixedLengths(20))
    await until('the socket goes', () => packetSockets() === before)
    assert.ok(!promiscuous(ends.b))
  },
)

for (const attach of ['native', 'skb']) {
  check(
    `a process killed with an XDP program in ${attach} mode leaves none: packets reach the stack again`,
    async (after) => {
      openXdp(after, { attach }).close()
      const child = await start(after, 'xdp', ends.b, attach)
      assert.throws(
        () => XdpSocket.open(ends.b, { queues: 'all' }),
        ({ code, message }) => code.startsWith('ERR_NETRING_') && /program/.test(message),
      )
      await killHolding(child, mixedLengths(20, 1500))
      const capture = openCapture(after, roomy)
      // The program goes when the kernel has closed what the process had open, which is after its end was told.
      await until('the interface is free', () => {
        try {
          XdpSocket.open(ends.b, { queues: 'all', attach }).close()
          return true
        } catch (error) {
          if (!/program/.test(error.message)) throw error
          return false
        }
      })
      const frames = mixedLengths(20, 1500, 100)
      await send(frames)
      same(await receive(capture, frames.length), frames)
    },
  )
}

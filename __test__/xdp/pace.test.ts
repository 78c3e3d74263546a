/** Fast packets wake few times (coalesceUs): every one still comes, and whoever waits meanwhile can be told of other things. */
import type { ExecutionContext } from 'ava'
import type { XdpSocket } from '../../src/index.js'
import { frame, numbered, numbers, upTo } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { injectorOn, receive, sendAll } from '../helpers/traffic.js'
import { xdpOn, xdpTest } from '../helpers/xdp.js'

/** Pauses as long as they can be, with frames for all that comes in one. */
const slow = { mode: 'rx', frameCount: 65_536, coalesceUs: 10_000 } as const

/** Packets, fast enough that the socket pauses after them. */
async function hurry(t: ExecutionContext, socket: XdpSocket, send: (from: number) => Promise<void>): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await send(round * 1000)
    t.deepEqual(
      numbers(await receive(socket, 1000)),
      upTo(1000).map((number) => number + round * 1000),
    )
  }
}

for (const coalesceUs of [0, 10_000]) {
  xdpTest(`coalesceUs ${coalesceUs}: fast packets, the last of them and one after silence come`, async (t) => {
    const { a, b } = network(t)
    const socket = xdpOn(t, b, { ...slow, coalesceUs })
    const injector = injectorOn(t, a)
    const send = (from: number): Promise<void> => sendAll(injector, numbered(1000, from))
    await hurry(t, socket, send)
    for (let number = 0; number < 20; number++) {
      await sendAll(injector, [frame(60, number)])
      t.deepEqual(numbers(await receive(socket, 1)), [number])
    }
    await sendAll(injector, numbered(500))
    let seen = 0
    while (seen < 500) {
      using batch = socket.nextBatchBlocking(10_000)
      t.true(batch !== undefined && batch.length <= 2048)
      seen += batch?.length ?? 500
    }
    t.is(seen, 500)
    t.deepEqual(socket.cumulativeStats(), { packets: 3520, drops: 0, freezeCount: 0 })
  })
}

xdpTest('abort and close end a wait that pauses', async (t) => {
  const { a, b } = network(t)
  const socket = xdpOn(t, b, slow)
  const injector = injectorOn(t, a)
  const send = (from: number): Promise<void> => sendAll(injector, numbered(1000, from))
  await hurry(t, socket, send)
  const controller = new AbortController()
  const aborted = socket.readable({ signal: controller.signal })
  controller.abort(new Error('enough'))
  await t.throwsAsync(aborted, { message: 'enough' })
  await hurry(t, socket, send)
  const pending = socket.readable()
  const loop = (async () => {
    for await (const batch of socket) t.fail(`a batch of ${batch.length} came from nowhere`)
  })()
  socket.close()
  await t.throwsAsync(pending, { code: 'ERR_NETRING_CLOSED' })
  await loop
})

xdpTest('a blocking wait is over when its time is, whatever the pause', async (t) => {
  const { a, b } = network(t)
  const socket = xdpOn(t, b, slow)
  const injector = injectorOn(t, a)
  await hurry(t, socket, (from) =>
    sendAll(
      injector,
      upTo(1000).map((number) => frame(60, from + number)),
    ),
  )
  t.is(socket.nextBatchBlocking(0), undefined)
  t.is(socket.nextBatchBlocking(1), undefined)
  await sendAll(injector, [frame(60, 7)])
  using batch = socket.nextBatch()
  t.is(batch?.length, 1, 'who does not wait has it at once')
})

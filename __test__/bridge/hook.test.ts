/** A hook decides on every packet. */
import test from 'ava'
import type { BridgeDirection, Packet } from '../../src/index.js'
import { bridged, bridgeOn, counted, listener, running, unaccounted } from '../helpers/bridged.js'
import { frame, hex, inner, numbered, numberOf, numbers, outer, tagged, upTo } from '../../testkit/frames.mjs'
import { injectorOn, receive, receiveFor, receiveNoMoreThan, sendAll, until } from '../helpers/traffic.js'

test.serial('packets are forwarded, dropped and replaced as it says, in order', async (t) => {
  const hosts = bridged(t)
  const far = listener(t, hosts.b)
  const seen: BridgeDirection[] = []
  const bridge = bridgeOn(t, hosts, {
    onPacket: (packet, direction) => {
      seen.push(direction)
      const number = numberOf(packet.data)
      if (number % 5 === 0) return frame(100 + number, 10_000 + number)
      return number % 2 === 1 ? 'drop' : 'forward'
    },
  })
  running(t, bridge)
  await sendAll(injectorOn(t, hosts.a), numbered(100))
  const wanted = upTo(100).filter((number) => number % 5 === 0 || number % 2 === 0)
  const got = await receiveNoMoreThan(far, wanted.length)
  t.deepEqual(
    hex(got.map(({ data }) => data)),
    hex(wanted.map((number) => (number % 5 === 0 ? frame(100 + number, 10_000 + number) : frame(60, number)))),
  )
  const { aToB } = bridge.stats()
  t.like(aToB, { received: 100, forwarded: wanted.length, dropped: 100 - wanted.length })
  t.is(unaccounted(aToB), 0)
  t.deepEqual(seen, Array(100).fill('aToB'))
})

test.serial('a packet shows the exact frame, and is empty once the hook has returned', async (t) => {
  const hosts = bridged(t)
  const shown: string[] = []
  const kept: Packet['data'][] = []
  const packets: Packet[] = []
  running(
    t,
    bridgeOn(t, hosts, {
      onPacket: (packet) => {
        shown.push(packet.data.toString('hex'))
        kept.push(packet.data)
        packets.push(packet)
        return 'forward'
      },
    }),
  )
  const far = listener(t, hosts.b)
  const frames = [frame(14), frame(61, 1), tagged(60, inner), tagged(90, outer, inner), frame(1514, 4)]
  await sendAll(injectorOn(t, hosts.a), frames)
  t.is((await receive(far, frames.length)).length, frames.length)
  t.deepEqual(shown, hex(frames))
  t.true(await until(() => kept.every(({ length }) => length === 0)))
  t.throws(() => packets[0]!.length, { code: 'ERR_NETRING_RELEASED' })
})

test.serial('bytes that it edits in place are what is forwarded', async (t) => {
  const hosts = bridged(t)
  const far = listener(t, hosts.b)
  running(
    t,
    bridgeOn(t, hosts, {
      onPacket: ({ data }) => {
        data.writeUInt32BE(numberOf(data) + 1000, 14)
        return 'forward'
      },
    }),
  )
  await sendAll(injectorOn(t, hosts.a), numbered(50))
  t.deepEqual(
    numbers(await receiveNoMoreThan(far, 50)),
    upTo(50).map((number) => number + 1000),
  )
})

test.serial('a view onto the packet may be the answer', async (t) => {
  const hosts = bridged(t)
  const far = listener(t, hosts.b)
  running(t, bridgeOn(t, hosts, { onPacket: ({ data }) => data.subarray(0, 40) }))
  await sendAll(injectorOn(t, hosts.a), numbered(20))
  const got = await receiveNoMoreThan(far, 20)
  t.deepEqual(hex(got.map(({ data }) => data)), hex(numbered(20).map((bytes) => bytes.subarray(0, 40))))
})

test.serial('bytes that were moved away in the hook are forwarded all the same', async (t) => {
  const hosts = bridged(t)
  const far = listener(t, hosts.b)
  let moved: ArrayBuffer | undefined
  const bridge = bridgeOn(t, hosts, {
    onPacket: ({ data }) => {
      const memory = data.buffer as ArrayBuffer & { transfer?: () => ArrayBuffer }
      // Node 20 has no transfer(); later ones refuse the other for memory that is not theirs.
      if (memory.byteLength > 0) moved = memory.transfer?.() ?? structuredClone(memory, { transfer: [memory] })
      return 'forward'
    },
  })
  running(t, bridge)
  await sendAll(injectorOn(t, hosts.a), [frame(60, 7)])
  t.deepEqual(numbers(await receiveNoMoreThan(far, 1)), [7])
  t.true(moved !== undefined)
  await sendAll(injectorOn(t, hosts.a), [frame(60, 8)])
  t.deepEqual(numbers(await receiveNoMoreThan(far, 1)), [8])
  t.is(bridge.stats().aToB.forwarded, 2)
})

test.serial('a hook that throws ends the run with that error, and the next run goes on', async (t) => {
  const hosts = bridged(t)
  const far = listener(t, hosts.b)
  const mine = new Error('mine')
  let angry = true
  const bridge = bridgeOn(t, hosts, {
    onPacket: (packet) => {
      if (angry && numberOf(packet.data) === 5) throw mine
      return 'forward'
    },
  })
  const run = bridge.run()
  await sendAll(injectorOn(t, hosts.a), numbered(10))
  t.is(await t.throwsAsync(run), mine)
  const { received, forwarded, dropped, pending } = await counted(bridge, 'aToB', ({ pending }) => pending === 0)
  t.is(forwarded + dropped + pending, received)
  t.true(dropped >= 1)
  angry = false
  running(t, bridge)
  await sendAll(injectorOn(t, hosts.a), numbered(10, 100))
  const got = numbers(await receive(far, forwarded + 10 - received + 10))
  t.deepEqual(got.slice(0, 5), upTo(5), 'those before it were sent')
  t.false(got.includes(5))
  t.deepEqual(
    got.slice(-10),
    upTo(10).map((number) => number + 100),
  )
})

test.serial('what was decided before a hook threw is carried out before the run rejects', async (t) => {
  const hosts = bridged(t)
  const far = listener(t, hosts.b)
  let seen = 0
  // A block of a second, so that all come in one batch: more than are handed over at a time.
  const bridge = bridgeOn(t, hosts, {
    a: { blockTimeoutMs: 1000 },
    onPacket: () => {
      if (++seen > 400) throw new Error('mine')
      return 'forward'
    },
  })
  await sendAll(injectorOn(t, hosts.a), numbered(500))
  await t.throwsAsync(bridge.run({ signal: AbortSignal.timeout(20_000) }), { message: 'mine' })
  const { aToB } = bridge.stats()
  t.like(aToB, { forwarded: 400, pending: 0 })
  t.is(aToB.dropped, aToB.received - 400)
  t.deepEqual(numbers(await receiveNoMoreThan(far, 400)), upTo(400))
})

test.serial('a packet that is empty because its hook has closed the bridge is no wrong answer', async (t) => {
  const hosts = bridged(t)
  const bridge = bridgeOn(t, hosts, {
    onPacket: ({ data }) => {
      bridge.close()
      return data
    },
  })
  const run = bridge.run()
  await sendAll(injectorOn(t, hosts.a), numbered(3))
  await t.notThrowsAsync(run)
})

for (const [what, answer, code] of [
  ['nothing', undefined, 'ERR_INVALID_ARG_TYPE'],
  ['another word', 'pass', 'ERR_INVALID_ARG_TYPE'],
  ['a promise', Promise.resolve('forward'), 'ERR_INVALID_ARG_TYPE'],
  ['an array of other numbers', new Uint16Array(30), 'ERR_INVALID_ARG_TYPE'],
  ['less than a header', new Uint8Array(13), 'ERR_NETRING_FRAME'],
  ['more than any frame', new Uint8Array(70_000), 'ERR_NETRING_FRAME'],
] as const) {
  test.serial(`${what} as an answer is refused by name`, async (t) => {
    const hosts = bridged(t)
    const bridge = bridgeOn(t, hosts, { onPacket: () => answer as never })
    const run = bridge.run()
    await sendAll(injectorOn(t, hosts.a), [frame(60)])
    await t.throwsAsync(run, { code, message: /^onPacket's answer to a packet of 60 bytes/ })
    t.like(bridge.stats().aToB, { received: 1, dropped: 1, forwarded: 0, pending: 0 })
  })
}

test.serial('closed in its hook, a bridge ends its run and sends nothing more', async (t) => {
  const hosts = bridged(t)
  const far = listener(t, hosts.b)
  const bridge = bridgeOn(t, hosts, {
    onPacket: () => {
      bridge.close()
      return 'forward'
    },
  })
  const run = bridge.run()
  await sendAll(injectorOn(t, hosts.a), numbered(3))
  await t.notThrowsAsync(run)
  t.true(bridge.closed)
  t.is((await receiveFor(far, 50)).length, 0)
})

test.serial('a hook may answer from one buffer every time', async (t) => {
  const hosts = bridged(t)
  const far = listener(t, hosts.b)
  const scratch = Buffer.alloc(60)
  running(
    t,
    bridgeOn(t, hosts, {
      onPacket: (packet) => {
        scratch.set(packet.data)
        return scratch
      },
    }),
  )
  await sendAll(injectorOn(t, hosts.a), numbered(50))
  t.deepEqual(numbers(await receiveNoMoreThan(far, 50)), upTo(50))
})

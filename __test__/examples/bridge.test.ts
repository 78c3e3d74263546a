/** async-bridge joins two interfaces, and says what became of the frames. */
import test, { type ExecutionContext } from 'ava'
import { exampleCommand, receiving, type Running } from '../helpers/example.js'
import { everyKind, frame, hex, numbered } from '../../testkit/frames.mjs'
import { network, setUp, type End } from '../helpers/network.js'
import { captureOn, injectorOn, receiveNoMoreThan, sendAll } from '../helpers/traffic.js'

/** Two hosts, and the example between them: both of its interfaces are in one namespace. */
async function bridged(t: ExecutionContext, ...args: string[]): Promise<{ a: End; b: End; running: Running }> {
  const { a, b: left } = network(t)
  const { a: moved, b } = network(t)
  moved.ip('link', 'set', moved.name, 'netns', left.netns)
  const right = { ...left, name: moved.name }
  await setUp(right, b)
  const running = await receiving(t, left, 2, exampleCommand('async-bridge', [left.name, right.name, ...args]))
  await running.line(new RegExp(`^${left.name} and ${right.name} are bridged$`, 'm'))
  return { a, b, running }
}

/** What a host gets of frames that the other one sends. */
async function passed(
  t: ExecutionContext,
  from: End,
  to: End,
  frames: readonly Buffer[],
  count: number,
): Promise<string[]> {
  const capture = captureOn(t, to, { ignoreOutgoing: true, blockCount: 64 })
  await sendAll(injectorOn(t, from), frames)
  const packets = await receiveNoMoreThan(capture, count)
  capture.close()
  return hex(packets.map(({ data }) => data))
}

test.serial('async-bridge forwards both ways, tags and all, until Ctrl-C', async (t) => {
  const { a, b, running } = await bridged(t)
  const frames = everyKind().filter(({ length }) => length <= 1514)
  t.deepEqual(await passed(t, a, b, frames, frames.length), hex(frames))
  t.deepEqual(await passed(t, b, a, numbered(500), 500), hex(numbered(500)))
  running.kill('SIGINT')
  const { status, lines, errors } = await running.ended()
  t.is(errors, '')
  t.is(status, 0)
  const nothingLost = '0 dropped, 0 rejected, 0 too large, 0 without room'
  t.deepEqual(lines.slice(1), [
    `aToB: ${frames.length} received, ${frames.length} forwarded, ${nothingLost}`,
    `bToA: 500 received, 500 forwarded, ${nothingLost}`,
  ])
})

test.serial('async-bridge drops what it is told to', async (t) => {
  const { a, b, running } = await bridged(t, '--drop', '0x88b6')
  const other = frame(60, 1)
  other.writeUInt16BE(0x88b6, 12)
  t.deepEqual(await passed(t, a, b, [frame(60), other, frame(61)], 2), hex([frame(60), frame(61)]))
  running.kill('SIGTERM')
  const { status, lines } = await running.ended()
  t.is(status, 0)
  t.is(lines[1], 'aToB: 3 received, 2 forwarded, 1 dropped, 0 rejected, 0 too large, 0 without room')
})

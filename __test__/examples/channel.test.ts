/** channel blocks its event loop, and every packet is passed on or counted. */
import test from 'ava'
import { exampleCommand, receiving } from '../helpers/example.js'
import { numbered } from '../../testkit/frames.mjs'
import { network, received } from '../helpers/network.js'
import { injectorOn, sendAll, until } from '../helpers/traffic.js'

/** Of its last line. */
const summary = /^(\d+) packets, (\d+) lost by the queue, (\d+) by the ring$/

test.serial('channel loses nothing that the queue can hold', async (t) => {
  const { a, b } = network(t)
  const running = await receiving(t, b, 1, exampleCommand('channel', [b.name, '--busy', '100', '--count', '5000']))
  await sendAll(injectorOn(t, a), numbered(5000))
  const { status, lines, errors } = await running.ended()
  t.is(errors, '')
  t.is(status, 0)
  const waited = lines.slice(0, -1).map((line) => /^(\d+) packets had waited, \d+ still do, 0 lost$/.exec(line)?.[1])
  t.is(
    waited.reduce((sum, packets) => sum + Number(packets), 0),
    5000,
  )
  t.is(lines.at(-1), '5000 packets, 0 lost by the queue, 0 by the ring')
})

test.serial('what the queue of channel cannot hold is counted', async (t) => {
  const { a, b } = network(t)
  const running = await receiving(t, b, 1, exampleCommand('channel', [b.name, '--busy', '2000', '--capacity', '10']))
  const injector = injectorOn(t, a)
  await sendAll(injector, numbered(1))
  await running.line(/^1 packets had waited/m)
  await sendAll(injector, numbered(1000))
  t.true(await until(() => received(b) >= 1001))
  running.kill('SIGINT')
  const { status, lines } = await running.ended()
  t.is(status, 0)
  const [, passed = 0, lost = 0, dropped] = summary.exec(lines.at(-1)!)!.map(Number)
  t.is(passed + lost, 1001)
  t.is(dropped, 0)
})

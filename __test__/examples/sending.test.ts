/** The examples that send: what arrives at the other end is what they say they sent. */
import test, { type ExecutionContext } from 'ava'
import { example } from '../helpers/example.js'
import { tcpdump, testThatNeeds } from '../helpers/needs.js'
import { network, setDown, type End } from '../helpers/network.js'
import { record } from '../helpers/tcpdump.js'
import { captureOn, receiveNoMoreThan } from '../helpers/traffic.js'
import { xdpTest } from '../helpers/xdp.js'

/** What examples/lib/frame.ts makes, byte for byte. */
function sent(at: End, to: string, count: number): string[] {
  const [link] = JSON.parse(at.ip('-j', 'link', 'show', at.name)) as [{ address: string }]
  const header = `${to}${link.address}88b5`.replaceAll(':', '')
  return Array.from(
    { length: count },
    (_, number) => `${header}${number.toString(16).padStart(8, '0')}${'00'.repeat(42)}`,
  )
}

const summary = (count: number): RegExp =>
  new RegExp(`^${count} frames sent(?:, ${count * 60} bytes| in [\\d.]+ s), 0 rejected, 0 not yet gone$`)

/** Runs it with `--to` and `--count` and looks at the other end. */
async function sends(t: ExecutionContext, name: string, count: number, ...args: string[]): Promise<readonly string[]> {
  const { a, b } = network(t)
  const capture = captureOn(t, b)
  const to = '02:00:00:00:00:42'
  const running = example(t, a, name, a.name, '--to', to, '--count', String(count), ...args)
  const [packets, { status, lines, errors }] = await Promise.all([
    receiveNoMoreThan(capture, count, 60_000),
    running.ended(),
  ])
  t.is(errors, '')
  t.is(status, 0)
  t.regex(lines[0]!, summary(count))
  t.deepEqual(
    packets.map(({ data }) => data.toString('hex')),
    sent(a, to, count),
  )
  return lines
}

test.serial('inject sends numbered frames, more than there are slots', async (t) => {
  await sends(t, 'inject', 2500)
})

test.serial('async-inject sends numbered frames, no faster than it is told', async (t) => {
  const [line = ''] = await sends(t, 'async-inject', 300, '--rate', '1000')
  t.true(Number(/ in ([\d.]+) s/.exec(line)?.[1]) >= 0.29, line)
})

xdpTest('xdp-send sends numbered frames, more than the UMEM holds', async (t) => {
  const lines = await sends(t, 'xdp-send', 5000)
  t.deepEqual(lines.slice(1), ['with a copy each: this driver cannot read them in place'])
})

testThatNeeds(tcpdump, 'tcpdump sees what inject, async-inject and xdp-send send', async (t) => {
  for (const name of ['inject', 'async-inject', 'xdp-send']) {
    const { a, b } = network(t)
    const recording = await record(t, b, 5)
    t.is((await example(t, a, name, a.name, '--count', '5').ended()).status, 0)
    t.deepEqual(await recording.frames(), sent(a, 'ff:ff:ff:ff:ff:ff', 5), name)
  }
})

for (const name of ['inject', 'async-inject', 'xdp-send']) {
  const run = name === 'xdp-send' ? xdpTest : test.serial
  run(`${name} ends on Ctrl-C and says how far it came`, async (t: ExecutionContext) => {
    const { a, b } = network(t)
    const capture = captureOn(t, b)
    const running = example(t, a, name, a.name, '--count', '1000000000')
    await capture.readable({ signal: AbortSignal.timeout(60_000) })
    running.kill('SIGINT')
    const { status, lines } = await running.ended()
    t.is(status, 0)
    const { packets, drops } = capture.cumulativeStats()
    const [, count] = /^(\d+) frames sent/.exec(lines[0]!)!.map(Number)
    t.true(count! > 0 && count! <= packets + drops, `${lines[0]} ${packets} ${drops}`)
  })
}

test.serial('that the link is down is said in a line', async (t) => {
  const { a } = network(t)
  setDown(a)
  const { status, errors } = await example(t, a, 'inject', a.name).ended()
  t.is(status, 1)
  t.regex(errors, /^[^\n]*\bdown\b[^\n]*\n$/)
})

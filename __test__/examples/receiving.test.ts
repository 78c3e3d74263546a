/** The examples that receive print what was sent to them. */
import test from 'ava'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bpfExec } from '../helpers/bpf.js'
import { example, exampleCommand, receiving } from '../helpers/example.js'
import { frame, hex, numbered, tagged, udp, upTo } from '../../testkit/frames.mjs'
import { ebpf, tcpdump, testThatNeeds } from '../helpers/needs.js'
import { network } from '../helpers/network.js'
import { protocols } from '../../testkit/protocols.mjs'
import { readFrames } from '../helpers/tcpdump.js'
import { injectorOn, sendAll, until } from '../helpers/traffic.js'

const source = '02:00:00:00:00:01'

test.serial('capture prints a line for each packet', async (t) => {
  const { a, b } = network(t)
  const frames = [
    protocols['TCP SYN']!,
    protocols.DNS!,
    protocols['ICMP echo request']!,
    protocols['ARP, tagged']!,
    frame(60),
    protocols['TCP data']!.subarray(0, 40),
  ]
  const running = await receiving(t, b, 1, exampleCommand('capture', [b.name, '--count', '6']))
  await sendAll(injectorOn(t, a), frames)
  const { status, lines, errors } = await running.ended()
  t.is(errors, '')
  t.is(status, 0)
  const time = /^\d\d:\d\d:\d\d.\d{6} otherHost /
  t.true(lines.slice(0, 6).every((line) => time.test(line)))
  t.deepEqual(
    lines.slice(0, 5).map((line) => line.replace(time, '')),
    [
      '192.0.2.1:50000 > 198.51.100.2:7777 TCP SYN, 0 bytes',
      '192.0.2.1:15353 > 198.51.100.2:53 UDP, 33 bytes',
      '192.0.2.1 > 198.51.100.2 ICMP type 8 code 0, 31 bytes',
      'vlan 4094 ARP who has 198.51.100.2, from 192.0.2.1',
      `ethertype 0x88b5 from ${source}`,
    ],
  )
  t.regex(lines[5]!, /tcp/i)
  t.deepEqual(lines.slice(6), ['6 packets received, 0 dropped'])
})

test.serial('batch adds up what the packets were', async (t) => {
  const { a, b } = network(t)
  const frames = [...upTo(300).map((number) => udp(1000 + number, 53, 'x')), ...numbered(200)]
  const running = await receiving(t, b, 1, exampleCommand('batch', [b.name, '--count', '500']))
  await sendAll(injectorOn(t, a), frames)
  const { status, lines } = await running.ended()
  t.is(status, 0)
  const batches = lines.filter((line) => line.startsWith('batch '))
  const lengths = batches.map((line) =>
    Number(/: (\d+) packets of [\d.]+ ms, handed over by (?:its timer|a full block)$/.exec(line)?.[1]),
  )
  t.is(
    lengths.reduce((sum, length) => sum + length, 0),
    500,
  )
  t.deepEqual(lines.slice(batches.length), [
    'IPv4 protocol 17: 300 packets',
    'ethertype 0x88b5: 200 packets',
    `500 packets, ${300 * 43 + 200 * 60} bytes, 0 dropped`,
  ])
})

test.serial('stats prints rows until it is stopped, and their sum', async (t) => {
  const { a, b } = network(t)
  const running = await receiving(t, b, 1, exampleCommand('stats', [b.name, '--interval', '20']))
  await sendAll(injectorOn(t, a), numbered(1000))
  await running.line(/ 1000$/m)
  running.kill('SIGINT')
  const { status, lines } = await running.ended()
  t.is(status, 0)
  t.deepEqual(lines[0]!.trim().split(/ {2,}/), ['packets', 'dropped', 'packets/s', 'Mbit/s', 'in all'])
  const rows = lines.slice(1, -1).map((line) => line.trim().split(/ +/).map(Number))
  t.is(
    rows.reduce((sum, [packets = 0]) => sum + packets, 0),
    1000,
  )
  t.is(rows.at(-1)![4], 1000)
  t.regex(lines.at(-1)!, /^1000 packets, \d+ bytes, 0 dropped, the ring was full 0 times$/)
})

test.serial('low-latency prints percentiles of the delay', async (t) => {
  const { a, b } = network(t)
  const running = await receiving(t, b, 1, exampleCommand('low-latency', [b.name, '--count', '200']))
  const injector = injectorOn(t, a)
  for (const bytes of numbered(200)) await sendAll(injector, [bytes])
  const { status, lines } = await running.ended()
  t.is(status, 0)
  t.regex(lines[0]!, /^200 packets, microseconds/)
  const [p50 = 0, p90 = 0, p99 = 0, most = 0] = lines[1]!.match(/(?<= )-?\d+/g)!.map(Number)
  t.true(0 < p50 && p50 <= p90 && p90 <= p99 && p99 <= most, lines[1])
})

test.serial('async watches two interfaces and goes on with other work', async (t) => {
  const { a, b } = network(t)
  b.ip('link', 'set', 'lo', 'up')
  const running = await receiving(t, b, 2, exampleCommand('async', [b.name, 'lo']))
  await sendAll(injectorOn(t, a), [frame(60), frame(100)])
  await sendAll(injectorOn(t, { ...b, name: 'lo' }), [frame(80)])
  await running.line(
    new RegExp(
      `^${b.name}: otherHost packet of 60 bytes from ${source}\n${b.name}: otherHost packet of 100 bytes`,
      'm',
    ),
  )
  await running.line(/^lo: outgoing packet of 80 bytes/m)
  running.kill('SIGINT')
  const { status, lines } = await running.ended()
  t.is(status, 0)
  t.is(lines.at(-3), `${b.name}: 2 packets`)
  t.is(lines.at(-2), 'lo: 2 packets', 'as it leaves and as it comes back')
  t.regex(lines.at(-1)!, /^other work: \d+ turns$/)
})

test.serial('async-stream prints a line for each second of traffic', async (t) => {
  const { a, b } = network(t)
  const running = await receiving(t, b, 1, exampleCommand('async-stream', [b.name, '--count', '1']))
  const injector = injectorOn(t, a)
  const end = running.ended()
  let over = false
  void end.then(() => (over = true))
  while (!over) {
    await sendAll(injector, numbered(10))
    await sleep(50)
  }
  const { status, lines } = await end
  t.is(status, 0)
  t.regex(lines[0]!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z: \d+ packets, \d+ bytes$/)
  const [, packets, bytes] = /: (\d+) packets, (\d+) bytes$/.exec(lines[0]!)!.map(Number)
  t.is(bytes, packets! * 60)
  t.regex(lines[1]!, /^\d+ packets received, 0 dropped$/)
})

test.serial('async-signal tells which signal ended it', async (t) => {
  const { a, b } = network(t)
  const command = (...args: string[]): string[] => exampleCommand('async-signal', [b.name, ...args])
  const injector = injectorOn(t, a)

  const counting = await receiving(t, b, 1, command('--count', '3', '--idle', '60000'))
  await sendAll(injector, numbered(3))
  t.deepEqual(await counting.ended(), {
    status: 0,
    lines: ['3 packets; ended because 3 packets have come'],
    errors: '',
  })

  const stopped = await receiving(t, b, 1, command('--idle', '60000'))
  stopped.kill('SIGTERM')
  t.deepEqual((await stopped.ended()).lines, ['0 packets; ended because it was told to stop'])

  const idle = await receiving(t, b, 1, command('--idle', '50'))
  t.deepEqual((await idle.ended()).lines, ['0 packets; ended because no packet came for 50 ms'])
})

testThatNeeds(
  tcpdump,
  'async-pipeline writes a file that tcpdump reads, whether it ends by count or by Ctrl-C',
  async (t) => {
    const { a, b } = network(t)
    const folder = mkdtempSync(join(tmpdir(), 'netring-'))
    t.teardown(() => {
      rmSync(folder, { recursive: true })
    })
    const frames = [frame(14), frame(60, 1), tagged(100, { tpid: 0x8100, tci: 5 }), frame(1514, 3)]
    const size = 24 + frames.reduce((sum, { length }) => sum + 16 + length, 0)
    const injector = injectorOn(t, a)
    for (const args of [['--count', '4'], []]) {
      const file = join(folder, `${args.length}.pcap`)
      const running = await receiving(t, b, 1, exampleCommand('async-pipeline', [b.name, file, ...args]))
      await sendAll(injector, frames)
      if (args.length === 0) {
        t.true(await until(() => statSync(file, { throwIfNoEntry: false })?.size === size))
        running.kill('SIGINT')
      }
      const { status, lines, errors } = await running.ended()
      t.is(errors, '')
      t.is(status, 0)
      t.deepEqual(lines, [`4 packets written to ${file}, 0 dropped`])
      t.deepEqual(readFrames(file), hex(frames))
      const times = execFileSync('tcpdump', ['-Z', 'root', '-r', file, '-tt', '-n'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      t.true(Math.abs(Number(times.split(' ')[0]) - Date.now() / 1000) < 60)
    }
  },
)

test.serial('ebpf lets in what a tcpdump expression says', async (t) => {
  const { a, b } = network(t)
  const command = exampleCommand('ebpf', [b.name, '--expression', 'udp port 53', '--count', '2'])
  const running = await receiving(t, b, 1, command)
  await sendAll(injectorOn(t, a), [frame(60), udp(1, 53, 'one'), udp(1, 54, 'no'), frame(60), udp(53, 2, 'three')])
  const { status, lines } = await running.ended()
  t.is(status, 0)
  t.deepEqual(lines, [
    `ethertype 0x0800 from ${source}, 45 bytes`,
    `ethertype 0x0800 from ${source}, 47 bytes`,
    '2 packets passed the filter, 0 of them were dropped',
  ])
})

test.serial('ebpf says what is wrong with an expression, and where', async (t) => {
  const { b } = network(t)
  const { status, errors } = await example(t, b, 'ebpf', b.name, '--expression', 'udp prot 53').ended()
  t.is(status, 1)
  t.regex(errors, /^filter "udp prot 53": .*\(characters 5 to 8\)/)
  t.notRegex(errors, /^ +at /m)
})

testThatNeeds(ebpf, 'ebpf attaches the eBPF program whose descriptor it inherits', async (t) => {
  const { a, b } = network(t)
  const inherit = [bpfExec(t), 'sh', '-c', 'exec "$@" --fd "$BPF_TYPE"', 'sh']
  const running = await receiving(t, b, 1, exampleCommand('ebpf', [b.name, '--count', '2'], inherit))
  await sendAll(injectorOn(t, a), [udp(1, 53, 'one'), frame(60), udp(1, 54, 'no'), frame(70)])
  const { status, lines } = await running.ended()
  t.is(status, 0)
  t.deepEqual(lines, [
    `ethertype 0x88b5 from ${source}, 60 bytes`,
    `ethertype 0x88b5 from ${source}, 70 bytes`,
    '2 packets passed the filter, 0 of them were dropped',
  ])
})

test.serial('fanout shares packets among its workers, each flow on one of them', async (t) => {
  const { a, b } = network(t)
  const running = await receiving(t, b, 4, exampleCommand('fanout', [b.name, '--workers', '4', '--count', '400']))
  await running.line(new RegExp(`^4 workers share ${b.name}$`, 'm'))
  const flows = upTo(100).flatMap((flow) => [udp(2000 + flow, 53, 'there'), udp(2000 + flow, 53, 'and back', true)])
  await sendAll(injectorOn(t, a), [...flows, ...flows])
  const { status, lines, errors } = await running.ended()
  t.is(errors, '')
  t.is(status, 0)
  const shares = lines.slice(1, -1).map((line) => /^worker \d: (\d+) packets of (\d+) flows$/.exec(line)!.map(Number))
  t.is(lines.at(-1), '0 dropped')
  const sum = (column: number): number => shares.reduce((total, share) => total + share[column]!, 0)
  t.is(shares.length, 4)
  t.is(sum(1), 400)
  t.is(sum(2), 100, 'no flow is on two workers')
})

for (const name of ['capture', 'batch', 'low-latency', 'dpi', 'async-stream', 'ebpf', 'fanout']) {
  test.serial(`${name} ends on Ctrl-C with its summary`, async (t) => {
    const { b } = network(t)
    const args = name === 'fanout' ? [b.name, '--workers', '2'] : [b.name]
    const running = await receiving(t, b, name === 'fanout' ? 2 : 1, exampleCommand(name, args))
    // Its workers have their rings before it can tell of them.
    if (name === 'fanout') await running.line(/2 workers share/)
    running.kill('SIGINT')
    const { status, lines, errors } = await running.ended()
    t.is(errors, '')
    t.is(status, 0)
    t.true(lines.some((line) => /\b0 packets|p50 -/.test(line)))
  })
}

/** record writes what came, and read says what is in the file. */
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { readFileSync, writeFileSync } from 'node:fs'
import test from 'ava'
import { numbered } from '../../testkit/frames.mjs'
import { exampleCommand, receiving, start } from '../helpers/example.js'
import { folder } from '../helpers/files.js'
import { network } from '../helpers/network.js'
import { readFrames } from '../helpers/tcpdump.js'
import { injectorOn, sendAll } from '../helpers/traffic.js'

test.serial('record and read: every packet is in the file', async (t) => {
  const { a, b } = network(t)
  const file = join(folder(t), 'seen.pcapng')
  const running = await receiving(t, b, 1, exampleCommand('record', [b.name, file, '--count', '900']))
  const frames = numbered(1000)
  await sendAll(injectorOn(t, a), frames)
  const { status, lines, errors } = await running.ended()
  t.deepEqual([status, lines, errors], [0, [`900 packets written to ${file}, 0 dropped`], ''])
  t.deepEqual(
    readFrames(file),
    frames.slice(0, 900).map((frame) => frame.toString('hex')),
  )
  writeFileSync(`${file}.gz`, gzipSync(readFileSync(file)))
  for (const name of [file, `${file}.gz`]) {
    const read = await start(t, undefined, exampleCommand('read', [name])).ended()
    t.is(read.errors, '')
    t.is(
      read.lines[0],
      `${b.name} (ethernet): 900 packets, ${900 * frames[0]!.length} bytes, 0 dropped when it was recorded`,
    )
    t.regex(read.lines[1]!, /^pcapng, read in \d+\.\d{3} s$/)
  }
})

test.serial('record ends its file when it is interrupted', async (t) => {
  const { a, b } = network(t)
  const file = join(folder(t), 'seen.pcap')
  const running = await receiving(t, b, 1, exampleCommand('record', [b.name, file]))
  await sendAll(injectorOn(t, a), numbered(10))
  await new Promise((resolve) => setTimeout(resolve, 500))
  running.kill('SIGINT')
  const { status, lines } = await running.ended()
  t.deepEqual([status, lines], [0, [`10 packets written to ${file}, 0 dropped`]])
  t.is(readFrames(file).length, 10)
})

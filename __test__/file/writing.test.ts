/** What PcapWriter writes, as other programs and PcapReader read it. No test needs a network or a right. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { createGzip, gunzipSync } from 'node:zlib'
import test from 'ava'
import { PcapReader, PcapWriter, type OwnedPacket, type PcapWriterOptions } from '../../src/index.js'
import { frame } from '../../testkit/frames.mjs'
import { runModule, runText } from '../helpers/child.js'
import {
  describe,
  enhanced,
  fileOf,
  folder,
  pcapHeader,
  pcapRecord,
  readAll,
  section,
  tsharkFields,
} from '../helpers/files.js'
import { readFrames } from '../helpers/tcpdump.js'

const frames = Array.from({ length: 3000 }, (_, number) => frame(60 + (number % 1000), number))
const pcap = Buffer.concat([pcapHeader(), ...frames.map((data, index) => pcapRecord(data, 100 + index, index))])

async function packetsOf(path: string): Promise<OwnedPacket[]> {
  const { packets, error } = await readAll(PcapReader.open(path))
  if (error !== undefined) throw error as Error
  return packets
}

const facts = (packets: readonly OwnedPacket[]): unknown[] =>
  packets.map((one) => [one.seconds, one.nanoseconds, one.originalLength, one.direction, one.data.toString('hex')])

for (const format of ['pcapng', 'pcap'] as const) {
  test(`${format}: batches, chosen packets and packets by themselves come back the same`, async (t) => {
    const path = join(folder(t), `copy.${format}`)
    const writer = PcapWriter.open(path)
    using reader = PcapReader.open(fileOf(t, 'frames.pcap', pcap))
    const expected: Buffer[] = []
    for await (const batch of reader) {
      const own = Array.from(batch, ({ data }) => Buffer.from(data))
      expected.push(...own, ...[3, 1, 3, 5, 7, 8].map((index) => own[index]!))
      t.true(writer.write(batch))
      t.true(writer.write(batch, Uint32Array.of(3, 1, 3)))
      t.true(writer.write(batch.at(5)!))
      t.true(writer.write(batch.copy().slice(7, 9)))
    }
    await writer.drained()
    t.is(writer.stats().packets, expected.length)
    await writer.close()
    t.deepEqual(writer.stats(), { packets: expected.length, bytes: statSync(path).size, files: 1, dropped: 0 })
    const packets = await packetsOf(path)
    t.true(packets.every(({ data }, index) => data.equals(expected[index] ?? Buffer.alloc(0))))
    t.is(packets.length, expected.length)
    t.deepEqual([packets[500]!.seconds, packets[500]!.nanoseconds], [600, 500])
    t.deepEqual(
      readFrames(path),
      expected.map((data) => data.toString('hex')),
    )
    t.deepEqual(
      tsharkFields(path, 'frame.len').map(([length]) => Number(length)),
      expected.map(({ length }) => length),
    )
    t.is(PcapReader.open(path).format, format)
  })
}

test('statistics, name and program go into the file, and capinfos reads them', async (t) => {
  const path = join(folder(t), 'stats.pcapng')
  const writer = PcapWriter.open(path, { interfaceName: 'eth7', linkType: 'ethernet', snapLen: 100 })
  writer.write(frames.slice(0, 50).map((data) => ({ ...packet, data, originalLength: data.length })) as never)
  await writer.close({ packets: 50, drops: 7, freezeCount: 1 })
  const reader = PcapReader.open(path)
  const packets = await readAll(reader)
  t.true(packets.packets.every(({ length, originalLength }) => length === Math.min(100, originalLength)))
  t.deepEqual(reader.interfaces, [
    {
      name: 'eth7',
      description: undefined,
      linkType: 'ethernet',
      snapLen: 100,
      timestampResolution: 1e9,
      stats: { received: 57, dropped: 7 },
    },
  ])
  const said = execFileSync('capinfos', [path], { encoding: 'utf8' })
  t.regex(said, /Number of packets: +50\n/)
  t.regex(said, /Name = eth7/)
  t.regex(said, /Number of stat entries = 1/)
  t.regex(said, /Capture application: +netring /)
})

const packet = { originalLength: 60, seconds: 1, nanoseconds: 2, direction: 'host' } as const

test('a file without packets can be read', async (t) => {
  for (const name of ['none.pcap', 'none.pcapng']) {
    const path = join(folder(t), name)
    const writer = PcapWriter.open(path)
    await writer.close()
    t.deepEqual(await packetsOf(path), [])
    t.deepEqual(tsharkFields(path, 'frame.len'), [])
    t.is(PcapReader.open(path).linkType, 'ethernet')
  }
})

test('several link types and interfaces: described in pcapng, refused in pcap without a trace', async (t) => {
  const bytes = Buffer.concat([
    section(),
    describe(1),
    describe(101),
    enhanced(0, frame(60, 1)),
    enhanced(1, Buffer.alloc(20, 0x45)),
    enhanced(0, frame(60, 2)),
  ])
  const source = fileOf(t, 'mixed.pcapng', bytes)
  const path = join(folder(t), 'copy.pcapng')
  const writer = PcapWriter.open(path)
  const classic = join(folder(t), 'copy.pcap')
  const narrow = PcapWriter.open(classic)
  for await (const batch of PcapReader.open(source)) {
    writer.write(batch)
    if (batch.linkType === 'ethernet') narrow.write(batch)
    else
      t.throws(() => narrow.write(batch), { code: 'ERR_NETRING_CONFIG', message: /one link type, here ethernet; raw/ })
  }
  await writer.close()
  await narrow.close()
  const copied = PcapReader.open(path)
  const { packets } = await readAll(copied)
  t.deepEqual(
    copied.interfaces.map(({ linkType }) => linkType),
    ['ethernet', 'raw'],
  )
  t.deepEqual(facts(packets), facts(await packetsOf(source)))
  t.is((await packetsOf(classic)).length, 2)
})

test('append writes behind the last whole record, and refuses what would make no file', async (t) => {
  const unfinished = { pcapng: enhanced(0, frame(60)).subarray(0, 30), pcap: pcapRecord(frame(60)).subarray(0, 30) }
  for (const format of ['pcapng', 'pcap'] as const) {
    const path = join(folder(t), `a.${format}`)
    for (const [from, to] of [
      [0, 100],
      [100, 250],
    ] as const) {
      const writer = PcapWriter.open(path, { append: true })
      writer.write(frames.slice(from, to).map((data) => ({ ...packet, data, originalLength: data.length })) as never)
      await writer.close()
      // As by a writer that was killed.
      if (from === 0) writeFileSync(path, Buffer.concat([readFileSync(path), unfinished[format]]))
    }
    t.deepEqual(
      readFrames(path),
      frames.slice(0, 250).map((data) => data.toString('hex')),
    )
  }
  const text = fileOf(t, 'a.txt', Buffer.from('this is no capture file'))
  t.throws(() => PcapWriter.open(text, { append: true }), { code: 'ERR_NETRING_CONFIG', message: /no pcap or pcapng/ })
  t.is(readFileSync(text, 'utf8'), 'this is no capture file')
  const other = fileOf(t, 'b.pcap', pcap)
  t.throws(() => PcapWriter.open(other, { append: true, format: 'pcapng' }), { code: 'ERR_NETRING_CONFIG' })
  t.throws(() => PcapWriter.open(other, { append: true, linkType: 'raw' }), { message: /link type is ethernet/ })
  t.true(readFileSync(other).equals(pcap))
})

test('rotation: each file is whole, in order, and old ones go', async (t) => {
  const path = folder(t)
  const rotated = async (name: string, rotate: PcapWriterOptions['rotate']): Promise<string[]> => {
    const writer = PcapWriter.open(join(path, name), { ...(rotate && { rotate }) })
    const whole: string[] = []
    writer.on('file', (file) => whole.push(file))
    for await (const batch of PcapReader.open(source)) writer.write(batch)
    await writer.close()
    t.is(writer.stats().packets, frames.length)
    return whole
  }
  const source = fileOf(t, 'frames.pcap', pcap)
  const byPackets = await rotated('p-%i.pcapng', { packets: 1000 })
  t.deepEqual(
    byPackets,
    ['p-00001.pcapng', 'p-00002.pcapng', 'p-00003.pcapng'].map((name) => join(path, name)),
  )
  t.deepEqual(
    byPackets.flatMap(readFrames),
    frames.map((data) => data.toString('hex')),
  )
  const byBytes = await rotated('b-%i.pcap', { bytes: 200_000, files: 3 })
  t.true(byBytes.length > 5 && byBytes.slice(0, -3).every((file) => !existsSync(file)))
  t.true(byBytes.slice(-3).every((file) => statSync(file).size <= 200_000))
  t.deepEqual(
    byBytes.slice(-3).flatMap(readFrames),
    frames.slice(-byBytes.slice(-3).flatMap(readFrames).length).map((data) => data.toString('hex')),
  )
  t.is(readdirSync(path).filter((name) => name.startsWith('b-')).length, 3)
})

test('what the system refuses reaches the caller', (t) => {
  const path = folder(t)
  t.throws(() => PcapWriter.open(`${path}/none/a.pcapng`), { code: 'ERR_NETRING_IO', message: /No such file/ })
  t.throws(() => PcapWriter.open(`${path}/a.pcapng.gz`), { code: 'ERR_INVALID_ARG_VALUE', message: /PcapWriter\.to/ })
  t.throws(() => PcapWriter.open(`${path}/a.pcapng`, { snaplen: 1 } as never), { code: 'ERR_INVALID_ARG_VALUE' })
  t.throws(() => PcapWriter.open(`${path}/a.pcapng`, { linkType: 'wifi' as never }), { code: 'ERR_INVALID_ARG_VALUE' })
  t.throws(() => PcapWriter.open(`${path}/a.pcapng`, { rotate: { files: 3 } }), { code: 'ERR_INVALID_ARG_VALUE' })
  t.throws(() => new (PcapWriter as never as new () => unknown)(), { name: 'TypeError' })
})

test('a full disk fails who writes, waits and closes', async (t) => {
  const writer = PcapWriter.open('/dev/full')
  const full = { code: 'ERR_NETRING_IO', message: /No space left on device/ }
  const given = frames.slice(0, 100).map((data) => ({ ...packet, data, originalLength: data.length }))
  t.true(writer.write(given as never))
  await t.throwsAsync(writer.drained(), full)
  t.throws(() => writer.write(given as never), full)
  t.deepEqual(writer.stats(), { packets: 0, bytes: 0, files: 1, dropped: 100 })
  await t.throwsAsync(writer.close(), full)
  await t.throwsAsync(writer.close(), full)
})

test('a batch that is over, an index outside and a closed writer are refused', async (t) => {
  const reader = PcapReader.open(fileOf(t, 'frames.pcap', pcap))
  const writer = PcapWriter.open(join(folder(t), 'a.pcapng'))
  const batch = reader.nextBatch()!
  t.throws(() => writer.write(batch, Uint32Array.of(2048)), { code: 'ERR_NETRING_CONFIG', message: /none at 2048/ })
  t.throws(() => writer.write(batch, [1] as never), { code: 'ERR_INVALID_ARG_TYPE' })
  t.throws(() => writer.write({} as never), { code: 'ERR_INVALID_ARG_TYPE' })
  batch.release()
  t.throws(() => writer.write(batch), { code: 'ERR_NETRING_RELEASED' })
  await writer.close()
  t.throws(() => writer.write([]), { code: 'ERR_NETRING_CLOSED' })
  await t.throwsAsync(writer.drained(), { code: 'ERR_NETRING_CLOSED' })
  t.is(writer.stats().packets, 0)
})

test('more than waits is said, and waiting takes it away', async (t) => {
  const writer = PcapWriter.open(join(folder(t), 'large.pcapng'))
  const large = { ...packet, data: Buffer.alloc(1_000_000), originalLength: 1_000_000 }
  let room = true
  let written = 0
  for (; room && written < 10_000; written++) room = writer.write(large as never)
  t.false(room, `${String(written)} MB and still room`)
  await writer.drained()
  t.true(writer.write(large as never))
  await writer.close()
  t.is(writer.stats().packets, written + 1)
})

test('what waits is written within a second, so that another program can follow', async (t) => {
  const path = join(folder(t), 'slow.pcapng')
  const writer = PcapWriter.open(path)
  writer.write({ ...packet, data: frame(60), originalLength: 60 } as never)
  for (let turn = 0; turn < 100 && statSync(path).size < 100; turn++) await new Promise((r) => setTimeout(r, 50))
  t.is((await packetsOf(path)).length, 1)
  await writer.close()
})

test('a writer that was killed leaves whole packets, and what is missing is told', async (t) => {
  const path = join(folder(t), 'killed.pcapng')
  const source = `
    const writer = netring.PcapWriter.open(${JSON.stringify(path)})
    const packets = Array.from({ length: 500 }, (_, number) => (
      { data: frames.frame(60 + number, number), originalLength: 60 + number, seconds: 1, nanoseconds: 2, direction: 'host' }))
    for (;;) {
      if (!writer.write(packets)) await writer.drained()
      if (writer.stats().bytes > 20_000_000) process.kill(process.pid, 'SIGKILL')
    }`
  t.throws(() => runModule(source))
  const reader = PcapReader.open(path)
  const { packets, error } = await readAll(reader)
  t.is(error, undefined)
  t.true(packets.length > 20_000)
  t.true(packets.every(({ data }, index) => data.equals(frame(60 + (index % 500), index % 500))))
  // And where the kill came in the middle of a write.
  truncateSync(path, statSync(path).size - 21)
  const cut = PcapReader.open(path)
  const rest = await readAll(cut)
  t.is(rest.error, undefined)
  t.is(rest.packets.length, packets.length - (reader.truncatedBytes > 21 ? 0 : 1))
  t.true(cut.truncatedBytes > 0)
})

test('to a stream: the same bytes as a file, with backpressure, through a compressor', async (t) => {
  const given = frames.map((data) => ({ ...packet, data, originalLength: data.length }))
  const gzip = createGzip()
  const chunks: Buffer[] = []
  gzip.on('data', (chunk: Buffer) => chunks.push(chunk))
  const writer = PcapWriter.to(gzip, { interfaceName: 'x' })
  t.false(writer.write(given as never), 'a MiB is more than a stream likes to hold')
  await writer.drained()
  t.is(writer.stats().packets, frames.length)
  using reader = PcapReader.open(fileOf(t, 'frames.pcap', pcap))
  writer.write(reader.nextBatch()!, Uint32Array.of(0, 1))
  await writer.close({ packets: 5, drops: 6, freezeCount: 0 })
  t.true(gzip.writableFinished)
  const path = fileOf(t, 'out.pcapng', gunzipSync(Buffer.concat(chunks)))
  t.deepEqual(
    readFrames(path),
    [...frames, ...frames.slice(0, 2)].map((data) => data.toString('hex')),
  )
  t.throws(() => PcapWriter.to(gzip, { append: true } as never), { code: 'ERR_INVALID_ARG_VALUE' })
  t.throws(() => PcapWriter.to({} as never), { code: 'ERR_INVALID_ARG_TYPE' })
})

test('a stream that fails tells who writes, waits and closes', async (t) => {
  const broken = new Writable({
    write(_chunk, _encoding, done) {
      done(Object.assign(new Error('write EPIPE'), { errno: -32, syscall: 'write' }))
    },
  })
  const writer = PcapWriter.to(broken)
  const one = { ...packet, data: frame(60), originalLength: 60 }
  writer.write(one as never)
  const failure = { code: 'ERR_NETRING_IO', message: /EPIPE/ }
  const error = await t.throwsAsync(writer.drained(), failure)
  t.like(error, { errno: 32, syscall: 'write' })
  t.throws(() => writer.write(one as never), failure)
  await t.throwsAsync(writer.close(), failure)
})

test('standard output stays open', (t) => {
  const source = `
    const writer = netring.PcapWriter.to(process.stdout, { format: 'pcap' })
    writer.write({ data: frames.frame(60), originalLength: 60, seconds: 1, nanoseconds: 2, direction: 'host' })
    await writer.close()
    process.stdout.write('behind')`
  const printed = runText(source)
  t.is(printed.length, 24 + 16 + 60 + 6)
  t.is(printed.subarray(-6).toString(), 'behind')
})

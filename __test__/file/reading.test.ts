/** What PcapReader makes of files, whole, cut, wrong and compressed. No test needs a network or a right. */
import { closeSync, createReadStream, openSync, readFileSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { PcapReader, PcapWriter } from '../../src/index.js'
import { frame } from '../../testkit/frames.mjs'
import {
  block,
  describe,
  enhanced,
  fileOf,
  folder,
  option,
  pcapHeader,
  pcapRecord,
  readAll,
  section,
  tsharkFields,
} from '../helpers/files.js'

const frames = Array.from({ length: 5000 }, (_, number) => frame(60 + (number % 1400), number))
const pcap = Buffer.concat([pcapHeader(), ...frames.map((data, index) => pcapRecord(data, 100 + index, index))])

const ways = {
  'a path': (path: string) => PcapReader.open(path),
  'a URL': (path: string) => PcapReader.open(pathToFileURL(path)),
  'a stream': (path: string) => PcapReader.from(createReadStream(path)),
  'chunks of odd lengths': (path: string) => PcapReader.from(chunks(readFileSync(path), [1, 1, 22, 7, 100_003])),
}

async function* chunks(bytes: Buffer, lengths: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0
  for (let index = 0; at < bytes.length; index++) {
    const length = lengths[index % lengths.length] ?? 1
    // Another turn, as a pipe has them.
    yield await new Promise<Uint8Array>((resolve) => setImmediate(resolve, bytes.subarray(at, at + length)))
    at += length
  }
}

for (const [name, open] of Object.entries(ways)) {
  test(`from ${name}: every packet byte for byte, with its time, in order; then the loop ends`, async (t) => {
    const reader = open(fileOf(t, 'frames.pcap', pcap))
    const { packets, error } = await readAll(reader)
    t.is(error, undefined)
    t.is(packets.length, frames.length)
    t.true(packets.every((packet, index) => packet.data.equals(frames[index] ?? Buffer.alloc(0))))
    t.true(packets.every((packet, index) => packet.seconds === 100 + index && packet.nanoseconds === index))
    t.deepEqual([reader.format, reader.linkType, reader.truncatedBytes], ['pcap', 'ethernet', 0])
    t.true(reader.ended)
    t.deepEqual(reader.cumulativeStats(), { packets: frames.length, drops: 0, freezeCount: 0 })
    t.deepEqual(await reader.recv(), [], 'nothing more comes, and nobody waits for ever')
    await reader.readable()
    t.is(reader.nextBatch(), undefined)
    reader.close()
    t.deepEqual([reader.format, reader.ended, reader.interfaces.length], ['pcap', true, 1])
    t.throws(() => reader.nextBatch(), { code: 'ERR_NETRING_CLOSED' })
  })
}

test('every loop and stream ends at the end of the file', async (t) => {
  const path = fileOf(t, 'frames.pcap', pcap)
  const counts: Record<string, number> = {}
  const count = (name: string, by = 1): void => {
    counts[name] = (counts[name] ?? 0) + by
  }
  for (const { length } of PcapReader.open(path).packets()) count('packets', Math.sign(length))
  for await (const { length } of PcapReader.open(path).packetsAsync()) count('packetsAsync', Math.sign(length))
  for await (const packet of PcapReader.open(path).stream()) count('stream', packet === null ? 0 : 1)
  for await (const batch of PcapReader.open(path).readableStream()) {
    count('readableStream', batch.length)
    batch.release()
  }
  const reader = PcapReader.open(path)
  for (let batch = reader.nextBatchBlocking(); batch !== undefined; batch = reader.nextBatchBlocking()) {
    count('nextBatchBlocking', batch.length)
    batch.release()
  }
  const received = PcapReader.open(path)
  for (let packets = await received.recv(); packets.length > 0; packets = await received.recv())
    count('recv', packets.length)
  t.deepEqual(counts, {
    packets: 5000,
    packetsAsync: 5000,
    stream: 5000,
    readableStream: 5000,
    nextBatchBlocking: 5000,
    recv: 5000,
  })
})

test('batches parse, stay readable while others are taken, and are empty once released or closed', (t) => {
  const reader = PcapReader.open(fileOf(t, 'frames.pcap', pcap))
  const held = []
  for (let batch = reader.nextBatch(); batch !== undefined; batch = reader.nextBatch()) held.push(batch)
  t.true(held.length > 2)
  t.deepEqual(
    held.flatMap((batch) => Array.from(batch, ({ data }) => data.readUInt32BE(14))),
    frames.map((data) => data.readUInt32BE(14)),
  )
  t.true(held.every((batch) => batch.parse().etherType.every((type) => type === frames[0]?.readUInt16BE(12))))
  const [first, second] = held
  const views = [first!.buffer, first!.columns.seconds, first!.at(3)!.data, first!.parse().etherType]
  const packet = first!.at(3)!
  t.true(views.every((view) => view.length > 0))
  first!.release()
  t.deepEqual(
    views.map((view) => view.length),
    [0, 0, 0, 0],
  )
  t.throws(() => packet.data, { code: 'ERR_NETRING_RELEASED' })
  const { buffer } = second!
  t.true(buffer.length > 0)
  reader.close()
  t.is(buffer.length, 0)
})

test('a released buffer is read into again, and no view shows what came later', async (t) => {
  const many = Buffer.concat([pcap, ...Array<Buffer>(9).fill(pcap.subarray(24))])
  const reader = PcapReader.open(fileOf(t, 'many.pcap', many))
  let packets = 0
  const old: Uint8Array[] = []
  for await (const batch of reader) {
    t.true(old.every((view) => view.length === 0))
    for (const { data } of batch) t.true(data.equals(frames[packets++ % frames.length] ?? Buffer.alloc(0)))
    old.push(batch.buffer, batch.at(0)!.data)
  }
  t.is(packets, 50_000)
})

test('a file that was cut anywhere gives its whole packets and says how many bytes are none', async (t) => {
  const few = [frame(60, 1), frame(61, 2), frame(1514, 3)]
  const files = {
    pcap: [pcapHeader(), ...few.map((data) => pcapRecord(data))],
    pcapng: [Buffer.concat([section(), describe(1)]), ...few.map((data) => enhanced(0, data))],
  }
  for (const [name, records] of Object.entries(files)) {
    const whole = Buffer.concat(records)
    let end = 0
    const ends = records.map(({ length }) => (end += length))
    for (let cut = ends[0]!; cut <= whole.length; cut++) {
      const reader = PcapReader.from(chunks(whole.subarray(0, cut), [1000]))
      const { packets, error } = await readAll(reader)
      const there = ends.filter((at) => at <= cut)
      t.is(error, undefined)
      t.deepEqual([packets.length, reader.truncatedBytes], [there.length - 1, cut - there.at(-1)!], `${name} ${cut}`)
      reader.close()
    }
  }
})

test('what cannot be read is an error with its byte, behind all packets before it', async (t) => {
  const good = [frame(60, 1), frame(60, 2)].map((data) => enhanced(0, data))
  const before = Buffer.concat([section(), describe(1), ...good])
  const wrong = Buffer.from(enhanced(0, frame(60, 3)))
  wrong.writeUInt32LE(99, wrong.length - 4)
  const bytes = Buffer.concat([before, wrong, ...good])
  const path = fileOf(t, 'wrong.pcapng', bytes)
  for (const reader of [PcapReader.open(path), PcapReader.from(createReadStream(path))]) {
    const { packets, error } = await readAll(reader)
    t.is(packets.length, 2)
    t.is((error as { code?: string }).code, 'ERR_NETRING_IO')
    t.regex(String(error), new RegExp(`at byte ${String(before.length)}: a block's length is 92 in front of it and 99`))
    t.false(reader.ended)
    t.throws(() => reader.nextBatch(), { code: 'ERR_NETRING_IO' })
    await t.throwsAsync(reader.recv(), { code: 'ERR_NETRING_IO' })
  }
  const text = await readAll(PcapReader.open(fileOf(t, 'a.txt', Buffer.from('no capture file at all'))))
  t.regex(String(text.error), /at byte 0: no pcap or pcapng file: it begins with 6e 6f 20 63/)
})

test('an empty file has no packets', async (t) => {
  const path = fileOf(t, 'empty.pcap', Buffer.alloc(0))
  for (const reader of [PcapReader.open(path), PcapReader.from(createReadStream(path))]) {
    const { packets, error } = await readAll(reader)
    t.deepEqual([packets, error, reader.format, reader.truncatedBytes], [[], undefined, undefined, 0])
    t.deepEqual([reader.linkType, reader.interfaces], [0xffff_ffff, []])
  }
})

test('gzip is told by its first bytes, by whatever way they come, also where it was cut', async (t) => {
  const compressed = gzipSync(pcap)
  const path = fileOf(t, 'frames.bin', compressed)
  for (const reader of [PcapReader.open(path), PcapReader.from(chunks(compressed, [1, 1, 50_000]))]) {
    const { packets, error } = await readAll(reader)
    t.deepEqual([packets.length, error, reader.truncatedBytes], [5000, undefined, 0])
  }
  const cut = PcapReader.open(fileOf(t, 'cut.gz', compressed.subarray(0, compressed.length >> 1)))
  const { packets, error } = await readAll(cut)
  t.is(error, undefined)
  t.true(packets.length > 100 && packets.length < 5000 && cut.truncatedBytes > 0)
})

test('several interfaces and link types: each batch has one link type, and packets know their interface', async (t) => {
  const raw = Buffer.from('4500001400000000400100007f0000017f000001', 'hex')
  const bytes = Buffer.concat([
    section(),
    describe(1),
    describe(101),
    describe(1),
    enhanced(0, frame(60, 1)),
    enhanced(2, frame(60, 2)),
    enhanced(1, raw),
    enhanced(2, frame(60, 3)),
  ])
  const reader = PcapReader.open(fileOf(t, 'mixed.pcapng', bytes))
  t.is(reader.linkType, 'ethernet')
  const seen: unknown[] = []
  for await (const batch of reader) seen.push([batch.linkType, [...batch.columns.interfaceId]])
  t.deepEqual(seen, [
    ['ethernet', [0, 2]],
    ['raw', [1]],
    ['ethernet', [2]],
  ])
  t.deepEqual(
    reader.interfaces.map(({ linkType }) => linkType),
    ['ethernet', 'raw', 'ethernet'],
  )
})

test('flags of a packet reach it: direction, checksums, segmentation, losses before it', (t) => {
  const flags = (value: number): Buffer => option(2, value)
  const drops = Buffer.concat([Buffer.from([4, 0, 8, 0]), Buffer.from([5, 0, 0, 0, 0, 0, 0, 0])])
  const bytes = Buffer.concat([
    section(),
    describe(1),
    enhanced(0, frame(60), 1, flags(2 | (1 << 9))),
    enhanced(0, frame(60), 2, flags(1 | (3 << 2) | (1 << 10) | (1 << 11))),
    enhanced(0, frame(60), 3, drops),
    block(0x0bad, Buffer.alloc(8)),
  ])
  const reader = PcapReader.open(fileOf(t, 'flags.pcapng', bytes))
  const batch = reader.nextBatch()!
  t.true(batch.losing)
  t.deepEqual(
    batch.copy().map((one) => [one.direction, one.csumNotReady, one.csumValid, one.gsoTcp, one.losing]),
    [
      ['outgoing', true, false, false, false],
      ['broadcast', false, true, true, false],
      ['host', false, false, false, true],
    ],
  )
})

test('while a pipe is being written packets are given as they come', async (t) => {
  const pipe = new PassThrough()
  const reader = PcapReader.from(pipe)
  pipe.write(Buffer.concat([pcapHeader(), pcapRecord(frame(60, 1)), pcapRecord(frame(60, 2)).subarray(0, 30)]))
  t.is((await reader.recv()).length, 1)
  t.is(reader.format, 'pcap')
  const next = reader.recv()
  t.is(await Promise.race([next, new Promise((resolve) => setTimeout(resolve, 50, 'waits'))]), 'waits')
  t.throws(() => reader.nextBatchBlocking(10), { code: 'ERR_NETRING_UNSUPPORTED' })
  pipe.write(pcapRecord(frame(60, 2)).subarray(30))
  const [packet] = await next
  t.true(packet!.data.equals(frame(60, 2)))
  pipe.end()
  t.deepEqual(await reader.recv(), [])
})

test('a stream that fails, and one that gives no bytes, fail who waits, behind the packets before', async (t) => {
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield pcap.subarray(0, 24 + 16 + 60)
    await Promise.resolve()
    throw new Error('the cable was cut')
  }
  const reader = PcapReader.from(failing())
  t.is((await reader.recv()).length, 1)
  await t.throwsAsync(reader.recv(), { code: 'ERR_NETRING_IO', message: /the cable was cut/ })
  const texts = PcapReader.from(chunks(Buffer.alloc(0), [1]) as never)
  t.deepEqual(await texts.recv(), [])
  async function* strings(): AsyncGenerator<string> {
    yield await Promise.resolve('text')
  }
  await t.throwsAsync(PcapReader.from(strings() as never).recv(), { code: 'ERR_NETRING_IO', message: /Uint8Array/ })
})

test('close() ends the stream and whoever waits', async (t) => {
  const pipe = new PassThrough()
  const reader = PcapReader.from(pipe)
  const waiting = reader.readable()
  reader.close()
  await t.throwsAsync(waiting, { code: 'ERR_NETRING_CLOSED' })
  t.true(pipe.destroyed)
})

test('a descriptor is read and stays open', async (t) => {
  const fd = openSync(fileOf(t, 'frames.pcap', pcap), 'r')
  const { packets } = await readAll(PcapReader.open(fd))
  t.is(packets.length, 5000)
  t.notThrows(() => {
    closeSync(fd)
  })
})

test('what cannot be opened says so', (t) => {
  const path = folder(t)
  t.throws(() => PcapReader.open(`${path}/none.pcap`), { code: 'ERR_NETRING_IO', message: /No such file/ })
  t.throws(() => PcapReader.open(path), { code: 'ERR_NETRING_UNSUPPORTED', message: /no regular file/ })
  t.throws(() => PcapReader.open(''), { code: 'ERR_INVALID_ARG_VALUE' })
  t.throws(() => PcapReader.from(undefined as never), { code: 'ERR_INVALID_ARG_TYPE' })
  t.throws(() => new (PcapReader as never as new () => unknown)(), { name: 'TypeError' })
})

test('a long record makes a larger buffer, for as long as it takes', async (t) => {
  const long = Buffer.alloc(5_000_000, 7)
  const bytes = Buffer.concat([pcapHeader(), pcapRecord(frame(60, 1)), pcapRecord(long), pcapRecord(frame(60, 2))])
  for (const reader of [PcapReader.open(fileOf(t, 'long.pcap', bytes)), PcapReader.from(chunks(bytes, [65_536]))]) {
    const { packets } = await readAll(reader)
    t.deepEqual(
      packets.map(({ length }) => length),
      [60, 5_000_000, 60],
    )
    t.true(packets[1]!.data.equals(long))
  }
})

test('tshark sees the same in every field', async (t) => {
  const path = `${folder(t)}/frames.pcapng`
  const writer = PcapWriter.open(path)
  const times = frames.map((_, index) => [1_700_000_000 + index, (index * 7919) % 1_000_000_000] as const)
  const given = frames.map((data, index) => ({
    data,
    originalLength: data.length + (index % 3),
    seconds: times[index]![0],
    nanoseconds: times[index]![1],
    direction: index % 2 === 0 ? 'outgoing' : 'multicast',
    csumNotReady: index % 5 === 0,
    csumValid: index % 7 === 0,
    gsoTcp: false,
  }))
  writer.write(given as never)
  await writer.close()
  const { packets } = await readAll(PcapReader.open(path))
  const fields = tsharkFields(
    path,
    'frame.time_epoch',
    'frame.len',
    'frame.cap_len',
    'eth.type',
    'frame.packet_flags_direction',
  )
  t.is(fields.length, packets.length)
  const second = (packet: (typeof packets)[number]): string[] => [
    `${String(packet.seconds)}.${String(packet.nanoseconds).padStart(9, '0')}`,
    String(packet.originalLength),
    String(packet.length),
    `0x${packet.protocol.toString(16).padStart(4, '0')}`,
    packet.direction === 'outgoing' ? '0x00000002' : '0x00000001',
  ]
  t.deepEqual(packets.map(second), fields)
})

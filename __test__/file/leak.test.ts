/** What readers and writers leave behind: descriptors, threads, memory. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { PcapReader, PcapWriter } from '../../src/index.js'
import { frame } from '../../testkit/frames.mjs'
import { fileOf, folder, pcapHeader, pcapRecord } from '../helpers/files.js'
import { collect } from '../helpers/views.js'

const counts = (): number[] => ['fd', 'task'].map((what) => readdirSync(`/proc/self/${what}`).length)
const record = pcapRecord(frame(1000))
const pcap = Buffer.concat([pcapHeader(), ...Array<Buffer>(1000).fill(record)])

/** What is more than before, once finalizers have run. */
async function settled(before: readonly number[]): Promise<number[]> {
  for (let turn = 0; turn < 200 && counts().some((count, index) => count > before[index]!); turn++) {
    await collect()
    await sleep(10)
  }
  return counts().map((count, index) => Math.max(0, count - before[index]!))
}

test.serial('readers and writers that were closed, in whatever state, leave nothing', async (t) => {
  const path = fileOf(t, 'a.pcap', pcap)
  const target = join(folder(t), 'b.pcapng')
  const use = async (): Promise<void> => {
    const reader = PcapReader.open(path)
    const stream = PcapReader.from(Readable.from([pcap]))
    t.true((await stream.recv()).length > 0)
    const writer = PcapWriter.open(target)
    const batch = reader.nextBatch()!
    writer.write(batch)
    t.true(batch.buffer.length > 0)
    reader.close()
    stream.close()
    await writer.close()
  }
  await use()
  const before = counts()
  const resident = process.memoryUsage.rss()
  for (let times = 0; times < 300; times++) await use()
  t.deepEqual(await settled(before), [0, 0])
  const grown = process.memoryUsage.rss() - resident
  t.true(grown < 100 << 20, `${String(grown)} bytes more; 300 buffers would be 300 MiB`)
})

test.serial('readers and writers that are collected without close() are closed', async (t) => {
  const path = fileOf(t, 'a.pcap', pcap)
  const target = join(folder(t), 'b.pcapng')
  await collect()
  const before = counts()
  const drop = (): void => {
    for (let times = 0; times < 20; times++) {
      PcapReader.open(path).nextBatch()?.release()
      PcapWriter.open(target)
    }
  }
  drop()
  t.true(counts()[0]! > before[0]!)
  t.deepEqual(await settled(before), [0, 0])
})

test.serial('a file of any length is read in a few buffers, also without a turn of the event loop', async (t) => {
  const path = fileOf(t, 'long.pcap', Buffer.concat([pcap, ...Array<Buffer>(200).fill(pcap.subarray(24))]))
  const read = (): number => {
    const reader = PcapReader.open(path)
    let packets = 0
    for (const packet of reader.packets()) packets += Math.sign(packet.data.length)
    reader.close()
    return packets
  }
  await collect()
  const before = process.memoryUsage.rss()
  t.is(read(), 201_000)
  const grown = process.memoryUsage.rss() - before
  t.true(grown < 100 << 20, `${String(grown)} bytes more of 200 MB`)
})

/**
 * What reading and writing capture files costs a packet, by columns: `node benchmark/file.mjs [packets]`.
 *
 * Files lie in the directory of TMPDIR, so in the page cache: the disk's speed is not measured. Each figure is the best of five runs;
 * tcpdump, where there is one, copies the same file to /dev/null.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PcapReader, PcapWriter } from '../dist/index.js'

let sum = 0

const packets = Number(process.argv[2] ?? 2_000_000)
const folder = mkdtempSync(join(tmpdir(), 'netring-file-'))
try {
  for (const [length, count] of [
    [64, packets],
    [800, packets / 4],
    [1400, packets / 4],
  ]) {
    await measure(length, count)
  }
  // What is read is used.
  if (Number.isNaN(sum)) throw new Error('the columns are no numbers')
} finally {
  rmSync(folder, { recursive: true })
}

async function measure(length, count) {
  const file = join(folder, `${length}.pcapng`)
  await create(file, length, count)
  const { size } = statSync(file)
  const show = (what, seconds) => {
    const speed = (size / seconds / 1e9).toFixed(2)
    console.log(`${length} B  ${what.padEnd(34)} ${((seconds * 1e9) / count).toFixed(1)} ns a packet, ${speed} GB/s`)
  }
  show('for await, columns of time and length', await best(() => loop(file)))
  show('nextBatch(), the same', await best(() => poll(file)))
  show('read and written to /dev/null', await best(() => copy(file)))
  const tcpdump = () => spawnSync('tcpdump', ['-r', file, '-w', '/dev/null']).error
  if (tcpdump() === undefined) show('tcpdump -r -w /dev/null', await best(tcpdump))
}

async function create(file, length, count) {
  const writer = PcapWriter.open(file)
  const packet = (index) => ({
    data: Buffer.alloc(length, index),
    originalLength: length,
    seconds: 1_700_000_000,
    nanoseconds: index,
    direction: 'host',
  })
  const thousand = Array.from({ length: 1000 }, (_, index) => packet(index))
  for (let written = 0; written < count; written += thousand.length) {
    if (!writer.write(thousand)) await writer.drained()
  }
  await writer.close()
}

function add({ columns, length }) {
  const { capturedLength, seconds, nanoseconds } = columns
  let added = 0
  for (let i = 0; i < length; i++) added += capturedLength[i] + seconds[i] + nanoseconds[i]
  sum += added
}

async function loop(file) {
  const reader = PcapReader.open(file)
  for await (const batch of reader) add(batch)
  reader.close()
}

function poll(file) {
  const reader = PcapReader.open(file)
  for (let batch = reader.nextBatch(); batch !== undefined; batch = reader.nextBatch()) {
    add(batch)
    batch.release()
  }
  reader.close()
}

async function copy(file) {
  const reader = PcapReader.open(file)
  const writer = PcapWriter.open('/dev/null')
  for await (const batch of reader) if (!writer.write(batch)) await writer.drained()
  await writer.close()
  reader.close()
}

async function best(run) {
  let least = Infinity
  for (let round = 0; round < 5; round++) {
    const begin = performance.now()
    await run()
    least = Math.min(least, (performance.now() - begin) / 1000)
  }
  return least
}

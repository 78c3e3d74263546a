/** From an interface into a file, and what tcpdump on the same interface has. */
import { join } from 'node:path'
import test from 'ava'
import { PcapReader, PcapWriter } from '../../src/index.js'
import { frame, inner, outer, tagged } from '../../testkit/frames.mjs'
import { runModule } from '../helpers/child.js'
import { folder, readAll, tsharkFields } from '../helpers/files.js'
import { tcpdump, testThatNeeds } from '../helpers/needs.js'
import { network } from '../helpers/network.js'
import { readFrames, record } from '../helpers/tcpdump.js'
import { captureOn, injectorOn, sendAll } from '../helpers/traffic.js'

const sent = [...Array.from({ length: 3000 }, (_, number) => frame(60 + (number % 1400), number))]
const tags = [tagged(60, inner), tagged(61, outer, inner), tagged(1400, { tpid: 0x88a8, tci: 7 })]

testThatNeeds(tcpdump, 'a capture into pcapng has what tcpdump has, with direction and counts', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, { blockCount: 64, blockTimeoutMs: 20 })
  const frames = [...sent, ...tags]
  const second = await record(t, b, frames.length)
  const path = join(folder(t), 'seen.pcapng')
  const writer = PcapWriter.open(path, { interfaceName: b.name })
  const sending = sendAll(injectorOn(t, a), frames)
  let count = 0
  for await (const batch of capture) {
    if (!writer.write(batch)) await writer.drained()
    if ((count += batch.length) >= frames.length) break
  }
  await sending
  await writer.close(capture.cumulativeStats())
  t.deepEqual(readFrames(path), await second.frames())
  const reader = PcapReader.open(path)
  const { packets } = await readAll(reader)
  t.true(packets.every(({ data }, index) => data.equals(frames[index]!)))
  t.true(packets.every(({ direction }) => direction === 'otherHost'))
  t.deepEqual(reader.interfaces[0]!.stats, { received: frames.length, dropped: 0 })
  t.deepEqual(
    tsharkFields(path, 'frame.time_epoch').flat(),
    packets.map((packet) => `${String(packet.seconds)}.${String(packet.nanoseconds).padStart(9, '0')}`),
  )
})

for (const vlan of ['reinsert', 'metadata'] as const) {
  test.serial(`VLAN tags are in the file's bytes, with vlan '${vlan}'`, async (t) => {
    const { a, b } = network(t)
    const capture = captureOn(t, b, { vlan, blockTimeoutMs: 20 })
    await sendAll(injectorOn(t, a), tags)
    const path = join(folder(t), 'tags.pcapng')
    const writer = PcapWriter.open(path)
    let count = 0
    for await (const batch of capture) {
      writer.write(batch)
      if ((count += batch.length) >= tags.length) break
    }
    await writer.close()
    const { packets } = await readAll(PcapReader.open(path))
    t.deepEqual(
      packets.map(({ data }) => data.toString('hex')),
      tags.map((data) => data.toString('hex')),
    )
    t.deepEqual(
      packets.map(({ originalLength }) => originalLength),
      tags.map(({ length }) => length),
    )
  })
}

test.serial('on a full disk the file ends with its last whole packet, and the rest is counted', (t) => {
  const mounted = folder(t)
  const source = `
    const path = ${JSON.stringify(join(mounted, 'full.pcapng'))}
    const writer = netring.PcapWriter.open(path)
    const packets = Array.from({ length: 100 }, (_, number) => (
      { data: frames.frame(1000 + number, number), originalLength: 1000 + number, seconds: 1, nanoseconds: 2, direction: 'host' }))
    let [given, failure] = [0, undefined]
    try {
      for (;;) {
        const room = writer.write(packets)
        given += packets.length
        if (!room) await writer.drained()
      }
    } catch (error) {
      failure = error
    }
    const closed = await writer.close().then(() => undefined, (error) => error)
    const reader = netring.PcapReader.open(path)
    let [read, same] = [0, true]
    for (const { data } of reader.packets()) same &&= data.equals(packets[read++ % 100].data)
    console.log(JSON.stringify({
      given, read, same, code: failure.code, errno: failure.errno, message: closed.message,
      truncated: reader.truncatedBytes, stats: writer.stats(),
    }))`
  const mount = `mount -t tmpfs -o size=3m tmpfs ${mounted} && exec "$@"`
  const result = runModule(source, ['unshare', '--mount', 'sh', '-c', mount, 'sh']) as {
    readonly [key: string]: unknown
    readonly given: number
    readonly read: number
  }
  t.deepEqual([result.same, result.truncated, result.code, result.errno], [true, 0, 'ERR_NETRING_IO', 28])
  t.regex(String(result.message), /full\.pcapng: write: No space left on device/)
  t.true(result.read > 2000 && result.read < result.given)
  const { packets, dropped } = result.stats as { packets: number; dropped: number }
  t.deepEqual([packets, dropped], [result.read, result.given - result.read])
})

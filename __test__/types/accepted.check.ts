/** What must compile: programs that know the public interfaces only, and what the classes are. Never run. */
import * as netring from '../../src/index.js'

declare function accepts<T>(value: T): void

/** A program over any source and any sink. */
export async function monitor(source: netring.PacketSource, sink: netring.PacketSink): Promise<bigint> {
  let newest = 0n
  source.on('linkDown', () => undefined).on('removed', () => undefined)
  source.unref().ref()
  for await (const batch of source) {
    const { offset, capturedLength, direction } = batch.columns
    for (let index = 0; index < batch.length; index++) {
      const start = offset[index] ?? 0
      const bytes: Buffer = batch.buffer.subarray(start, start + (capturedLength[index] ?? 0))
      if (direction[index] === 4) sink.send(bytes)
    }
    const { payloadOffset, error } = batch.parse()
    accepts<readonly (number | undefined)[]>([payloadOffset[0], error[0]])
    for (const packet of batch) {
      const { ip, tcp, payload }: netring.ParsedPacket = packet.parse()
      accepts<readonly (string | Buffer | undefined)[]>([ip?.source, tcp?.options[0]?.data, payload])
      const {
        data,
        timestamp,
        seconds,
        nanoseconds,
        rxhash,
        vlanTci,
        sourceAddress,
      }: netring.PacketFields & { data: Buffer } = packet
      if (timestamp > newest) newest = timestamp
      accepts<readonly (number | string | Buffer)[]>([seconds, nanoseconds, rxhash, vlanTci, sourceAddress, data])
    }
  }
  using last = source.nextBatchBlocking(10)
  const copies: netring.OwnedPacket[] = last?.copy() ?? (await source.recv({ signal: AbortSignal.timeout(1) }))
  accepts<number | undefined>(copies[0]?.parse().udp?.length)
  await sink.sendBatchAsync(copies.map(({ data }) => data))
  using slot = sink.allocate(60)
  slot?.setLength(64)
  slot?.data.fill(0)
  slot?.send()
  sink.flush()
  await sink.drained()
  sink.writable({ highWaterMark: 4 }).end()
  for (const packet of source.packets({ count: 1, durationMs: 5, until: new Date() })) accepts<string>(packet.direction)
  for await (const packet of source.packetsAsync({ count: 1 })) accepts<number>(packet.protocol)
  for await (const batch of source.readableStream()) batch.release()
  for await (const packet of source.stream({ highWaterMark: 1 })) accepts<unknown>(packet)
  const { packets, drops }: netring.CaptureStats = source.cumulativeStats()
  return newest + BigInt(packets + drops)
}

/** The same program over AF_PACKET. */
export function start(): Promise<bigint> {
  using capture = netring.Capture.open('eth0')
  using injector = netring.Injector.open('eth1')
  return monitor(capture, injector)
}

/** And over AF_XDP, with one object. */
export function startOverXdp(): Promise<bigint> {
  using socket = netring.XdpSocket.open('eth0', { queues: 'all' })
  socket.on('rejected', ({ code }) => code).on('linkDown', () => undefined)
  return monitor(socket, socket)
}

/** A program over a channel. */
export async function queue(channel: netring.ChannelCapture, signal: AbortSignal): Promise<bigint> {
  let newest = 0n
  for await (const { timestamp, data } of channel) {
    if (timestamp > newest) newest = timestamp
    if (data.length > 1500) break
  }
  const one: netring.OwnedPacket = channel.tryRecv() ?? (await channel.recv({ signal }))
  const many: netring.OwnedPacket[] = [one, ...(await channel.recvMany(100, { signal }))]
  const { packets, drops }: netring.CaptureStats = channel.stats()
  const rest = await channel.stopAndDrain()
  return newest + BigInt(packets + drops + channel.queued + channel.overflowed + many.length + rest.length)
}

/** The same program, with what only this class has. */
export function startQueue(): Promise<bigint> {
  using channel = netring.ChannelCapture.open('eth0', { capacity: 1000, whenFull: 'dropOldest', snapLen: 64 })
  channel.on('linkDown', () => channel.closed).unref()
  accepts<number>(channel.ring.blockSize + netring.ChannelCapture.defaults.capacity)
  return queue(channel, AbortSignal.timeout(1))
}

/** Filters in every place that takes one. */
export async function filters(): Promise<number> {
  const filter: netring.PacketFilter = netring.PacketFilter.compile('tcp port 443', { linkType: 'raw', snapLen: 96 })
  const named = await netring.PacketFilter.compileAsync('host a.example', { signal: AbortSignal.timeout(1) })
  const given: netring.Filter[] = ['udp', filter, filter.instructions, { fd: 3 }]
  using capture = netring.Capture.open('eth0', { filter: named })
  using socket = netring.XdpSocket.open('eth1', { filter: 'udp port 53' })
  using bridge = netring.Bridge.open('eth0', 'eth1', { filter: { aToB: filter, bToA: 'arp' } })
  using both = netring.Bridge.open('eth0', 'eth1', { filter })
  for (const one of given) capture.setFilter(one)
  socket.setFilter(filter)
  socket.detachFilter()
  using batch = capture.nextBatch()
  const indices: Uint32Array = batch === undefined ? new Uint32Array() : filter.select(batch)
  accepts<boolean>(filter.matches(Buffer.alloc(60), 1500) && bridge.closed && both.closed)
  return indices.length
}

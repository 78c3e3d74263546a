/** What src declares fits the contract, and code written against the contract compiles with it. Never run. */
import * as netring from '../../src/index.js'
import type * as Contract from './contract.js'

/** A value of a type, as far as the compiler is concerned. */
declare function a<T>(): T
declare function accepts<T>(value: T): void

// Every class and interface is what the contract says.
accepts<Contract.PacketSource>(a<netring.PacketSource>())
accepts<Contract.PacketSource>(a<netring.Capture>())
accepts<Contract.PacketSink>(a<netring.PacketSink>())
accepts<Contract.PacketSink>(a<netring.Injector>())
accepts<Contract.Capture>(a<netring.Capture>())
accepts<Contract.Injector>(a<netring.Injector>())
accepts<Contract.PacketSource & Contract.PacketSink>(a<netring.XdpSocket>())
accepts<netring.PacketSource & netring.PacketSink>(a<netring.XdpSocket>())
accepts<Contract.XdpSocket>(a<netring.XdpSocket>())
accepts<Contract.ChannelCapture>(a<netring.ChannelCapture>())
accepts<Contract.Batch>(a<netring.Batch>())
accepts<Contract.Packet>(a<netring.Packet>())
accepts<Contract.OwnedPacket>(a<netring.OwnedPacket>())
accepts<Contract.PacketColumns>(a<netring.PacketColumns>())
accepts<Contract.ParsedColumns>(a<netring.ParsedColumns>())
accepts<netring.ParsedColumns>(a<Contract.ParsedColumns>())
accepts<Contract.ParsedPacket>(a<netring.ParsedPacket>())
accepts<netring.ParsedPacket>(a<Contract.ParsedPacket>())
accepts<Contract.Slot>(a<netring.Slot>())
accepts<Contract.CaptureStats>(a<netring.CaptureStats>())
accepts<Contract.TxStats>(a<netring.TxStats>())
accepts<Contract.XdpStats>(a<netring.XdpStats>())
accepts<Contract.InterfaceInfo>(a<netring.InterfaceInfo>())
accepts<Contract.NetringError>(a<netring.NetringError>())

// What is given is taken, and nothing more than the contract knows: both directions.
accepts<netring.CaptureOptions>(a<Contract.CaptureOptions>())
accepts<Contract.CaptureOptions>(a<netring.CaptureOptions>())
accepts<netring.InjectorOptions>(a<Contract.InjectorOptions>())
accepts<Contract.InjectorOptions>(a<netring.InjectorOptions>())
accepts<netring.XdpOptions>(a<Contract.XdpOptions>())
accepts<Contract.XdpOptions>(a<netring.XdpOptions>())
accepts<netring.ChannelOptions>(a<Contract.ChannelOptions>())
accepts<Contract.ChannelOptions>(a<netring.ChannelOptions>())
accepts<netring.FanoutOptions>(a<Contract.FanoutOptions>())
accepts<netring.Filter>(a<Contract.Filter>())
accepts<netring.PacketLoopOptions>(a<Contract.PacketLoopOptions>())
accepts<netring.WaitOptions>(a<Contract.WaitOptions>())
accepts<netring.NetringErrorCode>(a<Contract.NetringErrorCode>())
accepts<Contract.NetringErrorCode>(a<netring.NetringErrorCode>())
accepts<Contract.Profile>(a<netring.Profile>())
accepts<Contract.FanoutMode>(a<netring.FanoutMode>())
accepts<Contract.Direction>(a<netring.Direction>())

// Functions and constants.
accepts<typeof Contract.listInterfaces>(netring.listInterfaces)
accepts<typeof Contract.interfaceInfo>(netring.interfaceInfo)
accepts<typeof Contract.suggestProfile>(netring.suggestProfile)
accepts<typeof Contract.suggestFanoutThreads>(netring.suggestFanoutThreads)
accepts<typeof Contract.directions>(netring.directions)
accepts<(typeof Contract.Capture)['defaults']>(netring.Capture.defaults)
accepts<(typeof Contract.Capture)['open']>(netring.Capture.open.bind(netring.Capture))
accepts<(typeof Contract.Injector)['open']>(netring.Injector.open.bind(netring.Injector))
accepts<(typeof Contract.XdpSocket)['open']>(netring.XdpSocket.open.bind(netring.XdpSocket))
accepts<(typeof Contract.ChannelCapture)['open']>(netring.ChannelCapture.open.bind(netring.ChannelCapture))

/** A program that knows the contract only. */
export async function monitor(source: Contract.PacketSource, sink: Contract.PacketSink): Promise<bigint> {
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
      const { ip, tcp, payload }: Contract.ParsedPacket = packet.parse()
      accepts<readonly (string | Buffer | undefined)[]>([ip?.source, tcp?.options[0]?.data, payload])
      const {
        data,
        timestamp,
        seconds,
        nanoseconds,
        rxhash,
        vlanTci,
        sourceAddress,
      }: Contract.PacketFields & { data: Buffer } = packet
      if (timestamp > newest) newest = timestamp
      accepts<readonly (number | string | Buffer)[]>([seconds, nanoseconds, rxhash, vlanTci, sourceAddress, data])
    }
  }
  using last = source.nextBatchBlocking(10)
  const copies: Contract.OwnedPacket[] = last?.copy() ?? (await source.recv({ signal: AbortSignal.timeout(1) }))
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
  const { packets, drops }: Contract.CaptureStats = source.cumulativeStats()
  return newest + BigInt(packets + drops)
}

/** The same program with what this package gives. */
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

/** A program that knows the contract of a channel only. */
export async function queue(channel: Contract.ChannelCapture, signal: AbortSignal): Promise<bigint> {
  let newest = 0n
  for await (const { timestamp, data } of channel) {
    if (timestamp > newest) newest = timestamp
    if (data.length > 1500) break
  }
  const one: Contract.OwnedPacket = channel.tryRecv() ?? (await channel.recv({ signal }))
  const many: Contract.OwnedPacket[] = [one, ...(await channel.recvMany(100, { signal }))]
  const { packets, drops }: Contract.CaptureStats = channel.stats()
  const rest = await channel.stopAndDrain()
  return newest + BigInt(packets + drops + channel.queued + channel.overflowed + many.length + rest.length)
}

/** The same program with what this package gives, which knows more. */
export function startQueue(): Promise<bigint> {
  using channel = netring.ChannelCapture.open('eth0', { capacity: 1000, whenFull: 'dropOldest', snapLen: 64 })
  channel.on('linkDown', () => channel.closed).unref()
  accepts<number>(channel.ring.blockSize + netring.ChannelCapture.defaults.capacity)
  return queue(channel, AbortSignal.timeout(1))
}

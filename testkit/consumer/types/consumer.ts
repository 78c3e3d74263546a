/** A strict consumer of the packed types: what README shows, and a little of everything else. Compiled, never run. */
import {
  Bridge,
  Capture,
  ChannelCapture,
  FanoutPool,
  Injector,
  NetringError,
  PacketStatus,
  XdpSocket,
  directions,
  interfaceInfo,
  listInterfaces,
  type Batch,
  type CaptureOptions,
  type NetringErrorCode,
  type OwnedPacket,
  type PacketSink,
  type PacketSource,
} from 'netring'

const options: CaptureOptions = { profile: 'lowMemory', promiscuous: true }

export async function receive(source: PacketSource, signal: AbortSignal): Promise<OwnedPacket[]> {
  const seen: OwnedPacket[] = []
  for (const packet of await source.recv({ signal })) if (!packet.truncated) seen.push(packet)
  return seen
}

export function lengths(batch: Batch): number[] {
  const { offset, capturedLength, status } = batch.columns
  return Array.from(offset, (at, index) => {
    const losing: boolean = ((status[index] ?? 0) & PacketStatus.losing) !== 0
    return losing ? 0 : batch.buffer.readUInt16BE(at) + (capturedLength[index] ?? 0)
  })
}

export async function send(sink: PacketSink, frame: Uint8Array): Promise<number> {
  await sink.sendBatchAsync([frame])
  await sink.drained()
  return sink.txStats().sent
}

export async function everything(): Promise<string> {
  const capture: Capture = Capture.open('eth0', options)
  const injector: Injector = Injector.open('eth0')
  const socket: XdpSocket = XdpSocket.open('eth0', { queues: 'all' })
  const channel: ChannelCapture = ChannelCapture.open('eth0', { capacity: 100 })
  const bridge: Bridge = Bridge.open('eth0', 'eth1', {
    onPacket: (packet) => (packet.length > 60 ? 'forward' : 'drop'),
  })
  const pool: FanoutPool = await FanoutPool.start('eth0', './worker.js', { workers: 2 })
  pool.on('message', (message: unknown, worker: number) => {
    console.log(message, worker)
  })
  for await (const batch of capture) batch.release()
  for (const each of [capture, injector, socket, channel, bridge]) each.close()
  await pool.stop()
  return `${directions[0]} ${listInterfaces().length} ${interfaceInfo('lo').name}`
}

export function codeOf(error: unknown): NetringErrorCode | undefined {
  return error instanceof NetringError ? error.code : undefined
}

// @ts-expect-error: an option that does not exist
Capture.open('eth0', { snaplen: 100 })

/** What must not compile. An unused `@ts-expect-error` is an error itself. Never run. */
import {
  Capture,
  ChannelCapture,
  Injector,
  interfaceInfo,
  NetringError,
  type Batch,
  type CaptureOptions,
  type FanoutOptions,
  type Filter,
  type OwnedPacket,
  type Packet,
  type PacketColumns,
  type Slot,
} from '../../src/index.js'

declare const capture: Capture
declare const channel: ChannelCapture
declare const injector: Injector
declare const batch: Batch
declare const packet: Packet
declare const owned: OwnedPacket
declare const columns: PacketColumns
declare const slot: Slot
declare function accepts<T>(value: T): void

export function construction(): void {
  // @ts-expect-error: only open() makes one
  accepts(new Capture('eth0'))
  // @ts-expect-error: only open() makes one
  accepts(new Injector('eth0'))
  // @ts-expect-error: an interface has to be named
  Capture.open()
  // @ts-expect-error: by its name, not by its index
  Capture.open(2)
}

export function options(): void {
  // @ts-expect-error: no such option
  Capture.open('eth0', { blocksize: 4096 })
  // @ts-expect-error: a number
  Capture.open('eth0', { blockSize: '4096' })
  // @ts-expect-error: no such profile
  Capture.open('eth0', { profile: 'fast' })
  // @ts-expect-error: leave it out instead
  Capture.open('eth0', { snapLen: undefined })
  // @ts-expect-error: no such choice
  Capture.open('eth0', { vlan: true })
  // @ts-expect-error: a group is needed
  Capture.open('eth0', { fanout: { mode: 'hash' } })
  // @ts-expect-error: no such mode
  accepts<FanoutOptions>({ mode: 'lb', group: 1 })
  // @ts-expect-error: an instruction has four fields
  accepts<Filter>([{ code: 6, jt: 0, jf: 0 }])
  // @ts-expect-error: a descriptor is a number
  accepts<Filter>({ fd: '3' })
  // @ts-expect-error: no option of an injector
  Injector.open('eth0', { snapLen: 64 })
  // @ts-expect-error: no such choice
  Injector.open('eth0', { onMalformed: 'ignore' })
  // @ts-expect-error: no such option
  interfaceInfo('eth0', { namespace: 'a' })
  const given: CaptureOptions = { snapLen: 64 }
  // @ts-expect-error: options are read-only
  given.snapLen = 128
  // @ts-expect-error: the defaults are read-only
  Capture.defaults.blockCount = 1
}

export async function receiving(): Promise<void> {
  // @ts-expect-error: there may be none
  capture.nextBatch().release()
  // @ts-expect-error: wait for it
  accepts<number>(capture.recv().length)
  // @ts-expect-error: an AbortSignal
  await capture.readable({ signal: new AbortController() })
  // @ts-expect-error: milliseconds or a Date
  capture.packets({ until: '2030-01-01' })
  // @ts-expect-error: waiting without blocking has for await
  for (const item of capture) accepts(item)
  // @ts-expect-error: no such event; failures reach who waits
  capture.on('error', () => undefined)
  // @ts-expect-error: no such event
  capture.on('packet', () => undefined)
  // @ts-expect-error: its end is close()'s business
  capture.closed = true
}

export async function queueing(): Promise<void> {
  // @ts-expect-error: only open() makes one
  accepts(new ChannelCapture('eth0'))
  // @ts-expect-error: no such policy
  ChannelCapture.open('eth0', { whenFull: 'drop' })
  // @ts-expect-error: no option of a capture
  Capture.open('eth0', { capacity: 100 })
  // @ts-expect-error: how many at most?
  await channel.recvMany()
  // @ts-expect-error: one packet, not several
  accepts<OwnedPacket[]>(await channel.recv())
  // @ts-expect-error: there may be none
  accepts<number>(channel.tryRecv().length)
  // @ts-expect-error: packets own their bytes: no batches here
  channel.nextBatch()
  // @ts-expect-error: counted, not set
  channel.overflowed = 0
}

export function packets(): void {
  // @ts-expect-error: an index may be outside
  accepts<number>(batch.at(0).length)
  // @ts-expect-error: an index may be outside
  accepts<number>(columns.offset[0])
  // @ts-expect-error: nanoseconds are a bigint
  accepts<number>(packet.timestamp)
  // @ts-expect-error: a batch ends by release(), an owned packet not at all
  owned.release()
  // @ts-expect-error: it owns its bytes already
  owned.copy()
  // @ts-expect-error: views are made, not set
  packet.data = Buffer.alloc(1)
  // @ts-expect-error: its length is the kernel's
  batch.length = 3
  // @ts-expect-error: a packet may have no such layer
  accepts<string>(packet.parse().ip.source)
  // @ts-expect-error: an index may be outside
  accepts<number>(batch.parse().sourcePort[0])
  // @ts-expect-error: what was parsed is read-only
  packet.parse().payload = Buffer.alloc(0)
  // @ts-expect-error: not one of the five
  accepts(packet.direction === 'incoming')
}

export async function sending(): Promise<void> {
  // @ts-expect-error: bytes, not text
  injector.send('frame')
  // @ts-expect-error: frames in one buffer need lengths and a stride
  injector.sendBatch(Buffer.alloc(60))
  // @ts-expect-error: and the stride
  injector.sendBatch(Buffer.alloc(60), [60])
  // @ts-expect-error: there may be no slot
  injector.allocate(60).send()
  // @ts-expect-error: how long?
  injector.allocate()
  // @ts-expect-error: how long?
  injector.waitDrained()
  // @ts-expect-error: no such event
  injector.on('drain', () => undefined)
  // @ts-expect-error: the reason is an error
  injector.on('rejected', (reason: string) => reason)
  // @ts-expect-error: setLength() it is
  slot.length = 3
  // @ts-expect-error: an array of frames
  await injector.sendBatchAsync(Buffer.alloc(60))
}

export function errors(): void {
  // @ts-expect-error: no such code
  accepts(new NetringError('ERR_OTHER', 'text'))
  const error = new NetringError('ERR_NETRING_IO', 'text')
  // @ts-expect-error: there may be none
  accepts<number>(error.errno)
  // @ts-expect-error: codes are stable
  error.code = 'ERR_NETRING_CLOSED'
}

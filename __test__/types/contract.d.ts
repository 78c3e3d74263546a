/**
 * The names, shapes and units that code written against this package may rely on, apart from how they are declared in
 * src: contract.check.ts asserts that one fits the other.
 */
import type { Readable, Writable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'

export interface PacketSource extends Disposable, AsyncIterable<Batch> {
  /** Never blocks: the next full block, or undefined. Several batches may be held; release in any order. */
  nextBatch(): Batch | undefined
  /** Blocks this thread, at most timeoutMs (default: the source's pollTimeoutMs). */
  nextBatchBlocking(timeoutMs?: number): Batch | undefined
  /** Resolves when nextBatch() would give one. Rejects with signal.reason, or NetringError on link loss or close. */
  readable(options?: WaitOptions): Promise<void>
  /** Owned copies of the next batch: nothing to release. */
  recv(options?: WaitOptions): Promise<OwnedPacket[]>
  /** Flat packets; the block is held only while its packets are being iterated. */
  packets(options?: PacketLoopOptions): Iterable<Packet>
  packetsAsync(options?: PacketLoopOptions & WaitOptions): AsyncIterable<Packet>
  /** Since the last call of stats(). Never disturbs cumulativeStats(). */
  stats(): CaptureStats
  cumulativeStats(): CaptureStats
  /** A batch a chunk; cancelling closes what the stream opened, releases what it holds. */
  readableStream(): ReadableStream<Batch>
  /** Object mode, owned packets, backpressure. */
  stream(options?: { readonly signal?: AbortSignal; readonly highWaterMark?: number }): Readable
  /** Events inform; failures reach whoever waits (rejection) or calls (throw), never as an 'error' event. */
  on(event: 'linkDown' | 'linkUp' | 'removed' | 'close', listener: () => void): this
  off(event: string, listener: (...args: never[]) => void): this
  /** Keep, or do not keep, the process alive while something waits on this source. */
  ref(): this
  unref(): this
  readonly closed: boolean
  /** Idempotent; every live view becomes empty; socket, promiscuity and ring are free when it returns. */
  close(): void
}

export interface PacketSink extends Disposable {
  /** The next free slot, or undefined when the ring is full. A slot that is neither sent nor discarded is discarded by close. */
  allocate(length: number): Slot | undefined
  /** Queues one frame; false when the ring is full. */
  send(frame: Uint8Array): boolean
  /** Queues many frames in one native call; returns how many. `lengths`: frames lie in one buffer, `stride` bytes apart. */
  sendBatch(frames: readonly Uint8Array[]): number
  sendBatch(frames: Uint8Array, lengths: Uint32Array | readonly number[], stride: number): number
  /** Hands what is queued to the kernel; never blocks; returns how many frames were handed over. */
  flush(): number
  /** Waits for room, then queues (backpressure). */
  sendAsync(frame: Uint8Array, options?: WaitOptions): Promise<void>
  sendBatchAsync(frames: readonly Uint8Array[], options?: WaitOptions): Promise<void>
  /** Flushes and resolves when every queued frame has left or was rejected. */
  drained(options?: WaitOptions): Promise<void>
  /** The same, blocking this thread; false on time-out. */
  waitDrained(timeoutMs: number): boolean
  readonly frameCapacity: number // bytes
  readonly frameCount: number
  readonly availableSlots: number
  readonly pendingCount: number
  readonly rejectedSlots: number
  txStats(): TxStats
  writable(options?: { readonly signal?: AbortSignal; readonly highWaterMark?: number }): Writable
  readonly closed: boolean
  close(): void
}

export interface WaitOptions {
  readonly signal?: AbortSignal
}
export interface PacketLoopOptions {
  readonly count?: number
  readonly durationMs?: number
  readonly until?: Date | number // epoch milliseconds
  readonly signal?: AbortSignal
}

/** A block of the ring on loan. Everything made from it is empty after release(). */
export interface Batch extends Iterable<Packet>, Disposable {
  readonly length: number // packets
  readonly seqNum: number
  readonly timedOut: boolean
  readonly losing: boolean
  readonly firstTimestamp: bigint // ns since the epoch
  readonly lastTimestamp: bigint
  /** The block's bytes; columns.offset points into it. */
  readonly buffer: Buffer
  readonly columns: PacketColumns
  readonly released: boolean
  at(index: number): Packet | undefined
  copy(): OwnedPacket[]
  /** Headers of every packet in one native call. */
  parse(): ParsedColumns
  release(): void
}

/** Each array has batch.length entries. `buffer[offset[i]]` is the first byte of the link-layer header. */
export interface PacketColumns {
  readonly offset: Uint32Array
  readonly capturedLength: Uint32Array // bytes present at offset
  readonly originalLength: Uint32Array // bytes on the wire
  readonly seconds: Uint32Array
  readonly nanoseconds: Uint32Array
  readonly rxhash: Uint32Array
  readonly status: Uint32Array // PacketStatus bits
  readonly vlanTci: Uint16Array
  readonly vlanTpid: Uint16Array
  readonly direction: Uint8Array // index into directions
}

export declare const directions: readonly ['host', 'broadcast', 'multicast', 'otherHost', 'outgoing']
export type Direction = (typeof directions)[number]

export interface PacketFields {
  readonly timestamp: bigint // ns since the epoch
  readonly seconds: number
  readonly nanoseconds: number
  readonly length: number // bytes captured
  readonly originalLength: number // bytes on the wire
  readonly truncated: boolean
  readonly losing: boolean
  readonly vlanValid: boolean
  readonly vlanTpidValid: boolean
  readonly csumValid: boolean
  readonly csumNotReady: boolean
  readonly gsoTcp: boolean
  readonly rxhash: number
  readonly vlanTci: number
  readonly vlanTpid: number
  readonly direction: Direction
  readonly sourceAddress: string // 'aa:bb:cc:dd:ee:ff', from the link layer
  readonly protocol: number // ethertype, from the link layer
}
export interface Packet extends PacketFields {
  /** View onto the ring, made when asked for. */
  readonly data: Buffer
  copy(): OwnedPacket
  parse(): ParsedPacket
}
export interface OwnedPacket extends PacketFields {
  readonly data: Buffer // its own bytes
  parse(): ParsedPacket
}

/** Offsets are relative to the batch's buffer; 0xffff_ffff where a layer is absent. */
export interface ParsedColumns {
  readonly etherType: Uint16Array
  readonly vlanId: Uint16Array // outermost, 0xffff where absent
  readonly networkOffset: Uint32Array
  readonly transportOffset: Uint32Array
  readonly payloadOffset: Uint32Array
  readonly payloadLength: Uint32Array
  readonly ipVersion: Uint8Array // 0, 4, 6
  readonly ipProtocol: Uint8Array
  readonly fragment: Uint8Array // 1 on every fragment
  readonly sourceAddress: Uint8Array // 16 bytes a packet; IPv4 in the first 4
  readonly destinationAddress: Uint8Array
  readonly sourcePort: Uint16Array
  readonly destinationPort: Uint16Array
  readonly tcpFlags: Uint16Array
  readonly error: Uint8Array // 0 or a ParseError
}
export interface ParsedPacket {
  readonly link: { readonly destination: string; readonly source: string; readonly etherType: number } | undefined
  readonly vlans: readonly {
    readonly id: number
    readonly priority: number
    readonly dropEligible: boolean
    readonly tpid: number
  }[]
  readonly arp:
    | {
        readonly operation: number
        readonly senderHardware: string
        readonly senderAddress: string
        readonly targetHardware: string
        readonly targetAddress: string
      }
    | undefined
  readonly ip:
    | {
        readonly version: 4 | 6
        readonly source: string
        readonly destination: string
        readonly protocol: number
        readonly hopLimit: number
        readonly dscp: number
        readonly ecn: number
        readonly fragment:
          { readonly offset: number; readonly more: boolean; readonly identification: number } | undefined
      }
    | undefined
  readonly tcp:
    | {
        readonly sourcePort: number
        readonly destinationPort: number
        readonly sequence: number
        readonly acknowledgment: number
        readonly flags: number
        readonly window: number
        readonly options: readonly { readonly kind: number; readonly data: Buffer }[]
      }
    | undefined
  readonly udp: { readonly sourcePort: number; readonly destinationPort: number; readonly length: number } | undefined
  readonly icmp:
    | {
        readonly version: 4 | 6
        readonly type: number
        readonly code: number
        readonly identifier: number | undefined
        readonly sequence: number | undefined
      }
    | undefined
  readonly payload: Buffer
  readonly error: { readonly layer: string; readonly message: string } | undefined
}

export interface CaptureStats {
  readonly packets: number // delivered into the ring, drops not included
  readonly drops: number // passed the filter, found no room
  readonly freezeCount: number
}
export interface TxStats {
  readonly sent: number // left the ring
  readonly rejected: number
  readonly pending: number
  readonly bytes: number
}

export interface Slot extends Disposable {
  readonly data: Buffer // `length` bytes, view onto the ring
  setLength(length: number): void
  send(): void
  discard(): void
}

export type Profile = 'default' | 'highThroughput' | 'lowLatency' | 'lowMemory' | 'jumboFrames'
export interface CaptureOptions {
  readonly profile?: Profile
  readonly blockSize?: number // bytes
  readonly blockCount?: number
  readonly frameSize?: number // bytes
  readonly blockTimeoutMs?: number
  readonly fillRxhash?: boolean
  readonly snapLen?: number // bytes
  readonly promiscuous?: boolean
  readonly ignoreOutgoing?: boolean
  readonly busyPollUs?: number
  readonly reusePort?: boolean
  readonly receiveBufferBytes?: number
  readonly receiveBufferForce?: boolean
  readonly timestampSource?: 'software' | 'rawHardware' | 'systemHardware'
  readonly pollTimeoutMs?: number
  readonly vlan?: 'reinsert' | 'metadata'
  readonly netns?: string // a name under /run/netns or a path such as /proc/PID/ns/net; default: this process's
  readonly fanout?: FanoutOptions
  readonly filter?: Filter
}
export type FanoutMode = 'hash' | 'loadBalance' | 'cpu' | 'rollover' | 'random' | 'queueMapping' | 'cbpf' | 'ebpf'
export interface FanoutOptions {
  readonly mode: FanoutMode
  readonly group: number | 'unique'
  readonly rollover?: boolean
  readonly defrag?: boolean
  readonly ignoreOutgoing?: boolean
  readonly program?: readonly BpfInstruction[] | { readonly fd: number }
}
export interface BpfInstruction {
  readonly code: number
  readonly jt: number
  readonly jf: number
  readonly k: number
}
export type Filter = readonly BpfInstruction[] | { readonly fd: number } | string // a tcpdump expression

export declare class Capture implements PacketSource {
  static open(interfaceName: string, options?: CaptureOptions): Capture
  static readonly defaults: Required<Omit<CaptureOptions, 'profile' | 'fanout' | 'filter' | 'netns'>>
  readonly interface: string
  readonly fd: number
  readonly fanoutId: number | undefined
  readonly ring: {
    readonly blockSize: number
    readonly blockCount: number
    readonly frameSize: number
    readonly locked: boolean
  }
  setFilter(filter: Filter): void
  detachFilter(): void
  attachFanoutProgram(program: readonly BpfInstruction[] | { readonly fd: number }): void
}
export declare interface Capture extends PacketSource {}

export interface InjectorOptions {
  readonly frameSize?: number // bytes, the largest frame
  readonly frameCount?: number
  readonly qdiscBypass?: boolean
  readonly onMalformed?: 'skip' | 'stop'
  readonly netns?: string
}
export declare class Injector implements PacketSink {
  static open(interfaceName: string, options?: InjectorOptions): Injector
  readonly interface: string
  readonly fd: number
}
export declare interface Injector extends PacketSink {}

export interface XdpOptions {
  readonly queues?: number | readonly number[] | 'all' // default 0
  readonly mode?: 'rx' | 'tx' | 'rxtx' | { readonly prefill: number } // default rxtx
  readonly frameSize?: 2048 | 4096
  readonly frameCount?: number
  readonly fillSize?: number
  readonly completionSize?: number
  readonly rxSize?: number
  readonly txSize?: number
  readonly needWakeup?: boolean
  readonly attach?: 'auto' | 'native' | 'skb'
  readonly zeroCopy?: 'auto' | 'require' | 'never'
  readonly busyPoll?: { readonly us: number; readonly budget?: number; readonly prefer?: boolean }
  readonly hugePages?: boolean
  readonly replace?: boolean // an XDP program that is already there
  readonly program?: { readonly xskMapFd: number; readonly fd?: number }
  readonly pollTimeoutMs?: number
  readonly netns?: string
}
export declare class XdpSocket implements PacketSource, PacketSink {
  static open(interfaceName: string, options?: XdpOptions): XdpSocket
  readonly interface: string
  readonly queues: readonly number[]
  readonly attached: 'native' | 'skb' | 'none' // what was really got
  readonly zeroCopy: boolean
  xdpStats(): XdpStats
}
export declare interface XdpSocket extends PacketSource, PacketSink {}
export interface XdpStats {
  readonly rxDropped: number
  readonly rxInvalidDescriptors: number
  readonly txInvalidDescriptors: number
  readonly rxRingFull: number
  readonly rxFillRingEmpty: number
  readonly txRingEmpty: number
}

export interface InterfaceInfo {
  readonly name: string
  readonly index: number
  readonly mtu: number
  readonly speedMbps: number | undefined
  readonly driver: string | undefined
  readonly rxQueues: number
  readonly txQueues: number
  readonly carrier: boolean
  readonly up: boolean
  readonly flags: readonly string[]
  readonly macAddress: string
}
export declare function listInterfaces(options?: { readonly netns?: string }): InterfaceInfo[]
export declare function interfaceInfo(name: string, options?: { readonly netns?: string }): InterfaceInfo
export declare function suggestProfile(name: string): Profile
export declare function suggestFanoutThreads(name: string): number

export type NetringErrorCode =
  | 'ERR_NETRING_PERMISSION'
  | 'ERR_NETRING_INTERFACE_NOT_FOUND'
  | 'ERR_NETRING_CONFIG'
  | 'ERR_NETRING_SOCKET'
  | 'ERR_NETRING_MMAP'
  | 'ERR_NETRING_BIND'
  | 'ERR_NETRING_SOCKOPT'
  | 'ERR_NETRING_IO'
  | 'ERR_NETRING_LINK_DOWN'
  | 'ERR_NETRING_INTERFACE_REMOVED'
  | 'ERR_NETRING_CLOSED'
  | 'ERR_NETRING_RELEASED'
  | 'ERR_NETRING_FILTER'
  | 'ERR_NETRING_FRAME'
  | 'ERR_NETRING_XDP_PROGRAM'
  | 'ERR_NETRING_UNSUPPORTED'
/** Ill-typed and out-of-range arguments are TypeError / RangeError with ERR_INVALID_ARG_TYPE / ERR_INVALID_ARG_VALUE / ERR_OUT_OF_RANGE. */
export declare class NetringError extends Error {
  readonly code: NetringErrorCode
  readonly syscall?: string
  readonly errno?: number
  readonly option?: string // the socket option, on ERR_NETRING_SOCKOPT
  readonly interface?: string
}

export interface ChannelOptions extends CaptureOptions {
  readonly capacity?: number // packets
  readonly capacityBytes?: number
  readonly whenFull?: 'block' | 'dropOldest' | 'dropNewest'
}
export declare class ChannelCapture implements Disposable, AsyncIterable<OwnedPacket> {
  static open(interfaceName: string, options?: ChannelOptions): ChannelCapture
  recv(options?: WaitOptions): Promise<OwnedPacket>
  tryRecv(): OwnedPacket | undefined
  recvMany(max: number, options?: WaitOptions): Promise<OwnedPacket[]>
  stopAndDrain(): Promise<OwnedPacket[]>
  readonly queued: number
  readonly overflowed: number
  stats(): CaptureStats
  cumulativeStats(): CaptureStats
  close(): void
  [Symbol.asyncIterator](): AsyncIterator<OwnedPacket>
  [Symbol.dispose](): void
}

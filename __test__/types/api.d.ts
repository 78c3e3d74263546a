import { Readable, Writable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { Transferable, Worker } from 'node:worker_threads'

interface WaitOptions {
  readonly signal?: AbortSignal
}
type NetringErrorCode =
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
interface NetringErrorDetails {
  readonly syscall?: string
  readonly errno?: number
  readonly option?: string
  readonly interface?: string
  readonly cause?: unknown
}
declare class NetringError extends Error {
  readonly code: NetringErrorCode
  readonly syscall?: string
  readonly errno?: number
  readonly option?: string
  readonly interface?: string
  constructor(code: NetringErrorCode, message: string, details?: NetringErrorDetails)
  get name(): string
}
declare abstract class Emitter {
  protected constructor()
  off(event: string, listener: (...args: never[]) => void): this
}
declare abstract class Closable extends Emitter implements Disposable {
  protected constructor()
  get closed(): boolean
  close(): void
  [Symbol.dispose](): void
}
type BridgeDirection = 'aToB' | 'bToA'
interface BridgeStats {
  readonly received: number
  readonly forwarded: number
  readonly dropped: number
  readonly tooLarge: number
  readonly ringFull: number
  readonly rejected: number
  readonly pending: number
  readonly pushedBack: number
  readonly kernelDrops: number
}
type LinkType = 'ethernet' | 'raw' | 'ipv4' | 'ipv6' | 'null' | 'loop' | 'linuxSll' | 'linuxSll2' | number
interface BpfInstruction {
  readonly code: number
  readonly jt: number
  readonly jf: number
  readonly k: number
}
type Program =
  | readonly BpfInstruction[]
  | {
      readonly fd: number
    }
interface ParsedColumns {
  readonly etherType: Uint16Array
  readonly vlanId: Uint16Array
  readonly networkOffset: Uint32Array
  readonly transportOffset: Uint32Array
  readonly payloadOffset: Uint32Array
  readonly payloadLength: Uint32Array
  readonly ipVersion: Uint8Array
  readonly ipProtocol: Uint8Array
  readonly fragment: Uint8Array
  readonly sourceAddress: Uint8Array
  readonly destinationAddress: Uint8Array
  readonly sourcePort: Uint16Array
  readonly destinationPort: Uint16Array
  readonly tcpFlags: Uint16Array
  readonly error: Uint8Array
}
declare const directions: readonly ['host', 'broadcast', 'multicast', 'otherHost', 'outgoing']
type Direction = (typeof directions)[number]
declare const PacketStatus: {
  readonly truncated: 2
  readonly losing: 4
  readonly csumNotReady: 8
  readonly vlanValid: 16
  readonly vlanTpidValid: 64
  readonly csumValid: 128
  readonly gsoTcp: 256
  readonly timestampSoftware: 536870912
  readonly timestampSystemHardware: 1073741824
  readonly timestampRawHardware: 2147483648
}
interface PacketColumns {
  readonly offset: Uint32Array
  readonly capturedLength: Uint32Array
  readonly originalLength: Uint32Array
  readonly seconds: Uint32Array
  readonly nanoseconds: Uint32Array
  readonly rxhash: Uint32Array
  readonly status: Uint32Array
  readonly vlanTci: Uint16Array
  readonly vlanTpid: Uint16Array
  readonly direction: Uint8Array
  readonly protocol: Uint16Array
  readonly interfaceId: Uint16Array
}
declare const ParseError: {
  readonly linkTruncated: 1
  readonly linkLength: 2
  readonly vlanTruncated: 3
  readonly arpTruncated: 4
  readonly ipTruncated: 5
  readonly ipMalformed: 6
  readonly ipLength: 7
  readonly extensionTruncated: 8
  readonly extensionMalformed: 9
  readonly tcpTruncated: 10
  readonly tcpMalformed: 11
  readonly tcpOptions: 12
  readonly udpTruncated: 13
  readonly udpLength: 14
  readonly icmpTruncated: 15
}
type ParseError = (typeof ParseError)[keyof typeof ParseError]
interface PacketError {
  readonly layer: string
  readonly message: string
}
interface ParsedLink {
  readonly destination: string
  readonly source: string
  readonly etherType: number
}
interface ParsedVlan {
  readonly id: number
  readonly priority: number
  readonly dropEligible: boolean
  readonly tpid: number
}
interface ParsedArp {
  readonly operation: number
  readonly senderHardware: string
  readonly senderAddress: string
  readonly targetHardware: string
  readonly targetAddress: string
}
interface ParsedFragment {
  readonly offset: number
  readonly more: boolean
  readonly identification: number
}
interface ParsedIp {
  readonly version: 4 | 6
  readonly source: string
  readonly destination: string
  readonly protocol: number
  readonly hopLimit: number
  readonly dscp: number
  readonly ecn: number
  readonly fragment: ParsedFragment | undefined
}
interface TcpOption {
  readonly kind: number
  readonly data: Buffer
}
interface ParsedTcp {
  readonly sourcePort: number
  readonly destinationPort: number
  readonly sequence: number
  readonly acknowledgment: number
  readonly flags: number
  readonly window: number
  readonly options: readonly TcpOption[]
}
interface ParsedUdp {
  readonly sourcePort: number
  readonly destinationPort: number
  readonly length: number
}
interface ParsedIcmp {
  readonly version: 4 | 6
  readonly type: number
  readonly code: number
  readonly identifier: number | undefined
  readonly sequence: number | undefined
}
interface ParsedPacket {
  readonly link: ParsedLink | undefined
  readonly vlans: readonly ParsedVlan[]
  readonly arp: ParsedArp | undefined
  readonly ip: ParsedIp | undefined
  readonly tcp: ParsedTcp | undefined
  readonly udp: ParsedUdp | undefined
  readonly icmp: ParsedIcmp | undefined
  readonly payload: Buffer
  readonly error: PacketError | undefined
}
interface PacketFields {
  readonly timestamp: bigint
  readonly seconds: number
  readonly nanoseconds: number
  readonly length: number
  readonly originalLength: number
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
  readonly sourceAddress: string
  readonly protocol: number
}
interface Packet extends PacketFields {
  readonly data: Buffer
  copy(): OwnedPacket
  parse(): ParsedPacket
}
interface OwnedPacket extends PacketFields {
  readonly data: Buffer
  parse(): ParsedPacket
}
interface Batch extends Iterable<Packet, undefined>, Disposable {
  [Symbol.iterator](): IterableIterator<Packet, undefined>
  readonly length: number
  readonly seqNum: number
  readonly timedOut: boolean
  readonly losing: boolean
  readonly firstTimestamp: bigint
  readonly lastTimestamp: bigint
  readonly buffer: Buffer
  readonly columns: PacketColumns
  readonly linkType: LinkType
  readonly released: boolean
  at(index: number): Packet | undefined
  copy(): OwnedPacket[]
  parse(): ParsedColumns
  release(): void
}
interface FilteredBatch extends Pick<Batch, 'length' | 'buffer' | 'linkType' | 'released'> {
  readonly columns: Pick<PacketColumns, 'offset' | 'capturedLength' | 'originalLength'>
}
interface PacketFilterOptions {
  readonly linkType?: LinkType
  readonly snapLen?: number
  readonly netmask?: string
  readonly vlan?: 'bytes' | 'metadata'
}
declare class PacketFilter {
  readonly expression: string
  readonly linkType: LinkType
  private constructor()
  static compile(expression: string, options?: PacketFilterOptions): PacketFilter
  static compileAsync(expression: string, options?: PacketFilterOptions & WaitOptions): Promise<PacketFilter>
  get instructions(): readonly BpfInstruction[]
  matches(frame: Uint8Array, originalLength?: number): boolean
  select(batch: FilteredBatch): Uint32Array
  toString(): string
}
type Filter = Program | PacketFilter | string
type FanoutMode = 'hash' | 'loadBalance' | 'cpu' | 'rollover' | 'random' | 'queueMapping' | 'cbpf' | 'ebpf'
interface FanoutOptions {
  readonly mode: FanoutMode
  readonly group: number | 'unique'
  readonly rollover?: boolean
  readonly defrag?: boolean
  readonly ignoreOutgoing?: boolean
  readonly program?: Program
}
type Profile = 'default' | 'highThroughput' | 'lowLatency' | 'lowMemory' | 'jumboFrames'
interface CaptureOptions {
  readonly profile?: Profile
  readonly blockSize?: number
  readonly blockCount?: number
  readonly frameSize?: number
  readonly blockTimeoutMs?: number
  readonly fillRxhash?: boolean
  readonly snapLen?: number
  readonly promiscuous?: boolean
  readonly ignoreOutgoing?: boolean
  readonly busyPollUs?: number
  readonly reusePort?: boolean
  readonly receiveBufferBytes?: number
  readonly receiveBufferForce?: boolean
  readonly timestampSource?: 'software' | 'rawHardware' | 'systemHardware'
  readonly pollTimeoutMs?: number
  readonly vlan?: 'reinsert' | 'metadata'
  readonly netns?: string
  readonly fanout?: FanoutOptions
  readonly filter?: Filter
}
interface InjectorOptions {
  readonly frameSize?: number
  readonly frameCount?: number
  readonly qdiscBypass?: boolean
  readonly onMalformed?: 'skip' | 'stop'
  readonly netns?: string
}
type SideOptions = CaptureOptions & InjectorOptions
type BridgeHook = (packet: Packet, direction: BridgeDirection) => 'forward' | 'drop' | Uint8Array
interface BridgeOptions {
  readonly a?: SideOptions
  readonly b?: SideOptions
  readonly backend?: 'packet' | 'xdp'
  readonly filter?: PacketFilter | string | Readonly<Partial<Record<BridgeDirection, PacketFilter | string>>>
  readonly onPacket?: BridgeHook
}
type BridgeEvent = 'rejected' | 'close'
declare class Bridge extends Closable {
  readonly a: string
  readonly b: string
  private constructor()
  static open(a: string, b: string, options?: BridgeOptions): Bridge
  run(options?: WaitOptions): Promise<void>
  runIterations(count: number): void
  stats(): Readonly<Record<BridgeDirection, BridgeStats>>
  on(event: 'rejected', listener: (error: NetringError, direction: BridgeDirection) => void): this
  on(event: 'close', listener: () => void): this
}
interface CaptureStats {
  readonly packets: number
  readonly drops: number
  readonly freezeCount: number
}
interface PacketLoopOptions {
  readonly count?: number
  readonly durationMs?: number
  readonly until?: Date | number
  readonly signal?: AbortSignal
}
type SourceEvent = 'linkDown' | 'linkUp' | 'removed' | 'close'
interface PacketSource extends Disposable, AsyncIterable<Batch, undefined> {
  readonly linkType: LinkType
  nextBatch(): Batch | undefined
  nextBatchBlocking(timeoutMs?: number): Batch | undefined
  readable(options?: WaitOptions): Promise<void>
  recv(options?: WaitOptions): Promise<OwnedPacket[]>
  [Symbol.asyncIterator](): AsyncIterableIterator<Batch, undefined>
  packets(options?: PacketLoopOptions): Iterable<Packet>
  packetsAsync(options?: PacketLoopOptions & WaitOptions): AsyncIterable<Packet>
  stats(): CaptureStats
  cumulativeStats(): CaptureStats
  readableStream(options?: WaitOptions): ReadableStream<Batch>
  stream(options?: { readonly signal?: AbortSignal; readonly highWaterMark?: number }): Readable
  on(event: SourceEvent, listener: () => void): this
  off(event: string, listener: (...args: never[]) => void): this
  ref(): this
  unref(): this
  readonly ended: boolean
  readonly closed: boolean
  close(): void
}
declare abstract class BatchSource extends Closable implements PacketSource {
  protected constructor()
  get ended(): boolean
  get linkType(): LinkType
  nextBatch(): Batch | undefined
  nextBatchBlocking(timeoutMs?: number): Batch | undefined
  readable(options?: WaitOptions): Promise<void>
  recv(options?: WaitOptions): Promise<OwnedPacket[]>
  [Symbol.asyncIterator](): AsyncIterableIterator<Batch, undefined>
  packets(options?: PacketLoopOptions): Iterable<Packet>
  packetsAsync(options?: PacketLoopOptions & WaitOptions): AsyncIterable<Packet>
  stats(): CaptureStats
  cumulativeStats(): CaptureStats
  readableStream(options?: WaitOptions): ReadableStream<Batch>
  stream(options?: { readonly signal?: AbortSignal; readonly highWaterMark?: number }): Readable
  on(event: SourceEvent, listener: () => void): this
  ref(): this
  unref(): this
}
interface RingShape {
  readonly blockSize: number
  readonly blockCount: number
  readonly frameSize: number
  readonly locked: boolean
}
declare class Capture extends BatchSource {
  static readonly defaults: Required<Omit<CaptureOptions, 'profile' | 'fanout' | 'filter' | 'netns'>>
  readonly interface: string
  readonly fd: number
  readonly fanoutId: number | undefined
  readonly ring: RingShape
  private constructor()
  static open(interfaceName: string, options?: CaptureOptions): Capture
  setFilter(filter: Filter): void
  detachFilter(): void
  attachFanoutProgram(program: Program): void
}
interface XdpOptions {
  readonly queues?: number | readonly number[] | 'all'
  readonly mode?:
    | 'rx'
    | 'tx'
    | 'rxtx'
    | {
        readonly prefill: number
      }
  readonly frameSize?: 2048 | 4096
  readonly frameCount?: number
  readonly fillSize?: number
  readonly completionSize?: number
  readonly rxSize?: number
  readonly txSize?: number
  readonly needWakeup?: boolean
  readonly attach?: 'auto' | 'native' | 'skb'
  readonly zeroCopy?: 'auto' | 'require' | 'never'
  readonly busyPoll?: {
    readonly us: number
    readonly budget?: number
    readonly prefer?: boolean
  }
  readonly hugePages?: boolean
  readonly coalesceUs?: number
  readonly replace?: boolean
  readonly program?: {
    readonly xskMapFd: number
    readonly fd?: number
  }
  readonly filter?: PacketFilter | string
  readonly pollTimeoutMs?: number
  readonly netns?: string
}
type XdpDefaults = Required<
  Omit<XdpOptions, 'fillSize' | 'completionSize' | 'rxSize' | 'txSize' | 'busyPoll' | 'program' | 'filter' | 'netns'>
>
interface QueueOptions {
  readonly capacity?: number
  readonly capacityBytes?: number
  readonly whenFull?: 'block' | 'dropOldest' | 'dropNewest'
}
interface ChannelOptions extends CaptureOptions, QueueOptions {}
interface XdpChannelOptions extends Omit<XdpOptions, 'mode' | 'completionSize' | 'txSize'>, QueueOptions {}
type ChannelDefaults = Required<Omit<ChannelOptions, 'profile' | 'fanout' | 'filter' | 'netns'>>
declare class ChannelCapture extends Closable implements AsyncIterable<OwnedPacket, undefined> {
  static readonly defaults: ChannelDefaults
  readonly interface: string
  readonly linkType: LinkType
  readonly fanoutId: number | undefined
  private constructor()
  static open(interfaceName: string, options?: ChannelOptions): ChannelCapture
  static openXdp(interfaceName: string, options?: XdpChannelOptions): ChannelCapture
  get fd(): number
  get ring(): RingShape
  recv(options?: WaitOptions): Promise<OwnedPacket>
  recvMany(max: number, options?: WaitOptions): Promise<OwnedPacket[]>
  tryRecv(): OwnedPacket | undefined
  [Symbol.asyncIterator](): AsyncIterableIterator<OwnedPacket, undefined>
  stopAndDrain(): Promise<OwnedPacket[]>
  get queued(): number
  get overflowed(): number
  stats(): CaptureStats
  cumulativeStats(): CaptureStats
  setFilter(filter: Filter): void
  detachFilter(): void
  attachFanoutProgram(program: Program): void
  on(event: SourceEvent, listener: () => void): this
  ref(): this
  unref(): this
}
interface PcapInterface {
  readonly name: string | undefined
  readonly description: string | undefined
  readonly linkType: LinkType
  readonly snapLen: number
  readonly timestampResolution: number
  readonly stats: PcapInterfaceStats | undefined
}
interface PcapInterfaceStats {
  readonly received: number | undefined
  readonly dropped: number | undefined
}
declare class PcapReader extends BatchSource {
  private constructor()
  static open(path: string | URL | number): PcapReader
  static from(bytes: AsyncIterable<Uint8Array> | Readable): PcapReader
  get format(): 'pcap' | 'pcapng' | undefined
  get interfaces(): readonly PcapInterface[]
  get truncatedBytes(): number
  get linkType(): LinkType
  nextBatch(): Batch | undefined
  nextBatchBlocking(timeoutMs?: number): Batch | undefined
}
interface PcapWriterOptions {
  readonly format?: 'pcapng' | 'pcap'
  readonly linkType?: LinkType
  readonly snapLen?: number
  readonly interfaceName?: string
  readonly rotate?: PcapRotation
  readonly append?: boolean
}
interface PcapRotation {
  readonly bytes?: number
  readonly seconds?: number
  readonly packets?: number
  readonly files?: number
}
type PcapWriterEvent = 'file'
interface PcapWriterStats {
  readonly packets: number
  readonly bytes: number
  readonly files: number
  readonly dropped: number
}
declare class PcapWriter extends Emitter implements AsyncDisposable {
  private constructor()
  static open(path: string | URL, options?: PcapWriterOptions): PcapWriter
  static to(stream: Writable, options?: Omit<PcapWriterOptions, 'append' | 'rotate'>): PcapWriter
  write(batch: Batch, indices?: Uint32Array): boolean
  write(packets: OwnedPacket | Iterable<OwnedPacket>): boolean
  drained(options?: WaitOptions): Promise<void>
  stats(): PcapWriterStats
  on(event: PcapWriterEvent, listener: (path: string) => void): this
  close(stats?: CaptureStats): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
interface TxStats {
  readonly sent: number
  readonly rejected: number
  readonly pending: number
  readonly bytes: number
}
interface Slot extends Disposable {
  readonly data: Buffer
  setLength(length: number): void
  send(): void
  discard(): void
}
interface PacketSink extends Disposable {
  allocate(length: number): Slot | undefined
  send(frame: Uint8Array): boolean
  sendBatch(frames: readonly Uint8Array[]): number
  sendBatch(frames: Uint8Array, lengths: Uint32Array | readonly number[], stride: number): number
  flush(): number
  sendAsync(frame: Uint8Array, options?: WaitOptions): Promise<void>
  sendBatchAsync(frames: readonly Uint8Array[], options?: WaitOptions): Promise<void>
  drained(options?: WaitOptions): Promise<void>
  waitDrained(timeoutMs: number): boolean
  readonly frameCapacity: number
  readonly frameCount: number
  readonly availableSlots: number
  readonly pendingCount: number
  readonly rejectedSlots: number
  txStats(): TxStats
  writable(options?: { readonly signal?: AbortSignal; readonly highWaterMark?: number }): Writable
  readonly closed: boolean
  close(): void
}
declare abstract class FrameSink extends Closable implements PacketSink {
  protected constructor()
  get frameCapacity(): number
  get frameCount(): number
  allocate(length: number): Slot | undefined
  send(frame: Uint8Array): boolean
  sendBatch(frames: readonly Uint8Array[]): number
  sendBatch(frames: Uint8Array, lengths: Uint32Array | readonly number[], stride: number): number
  flush(): number
  sendAsync(frame: Uint8Array, options?: WaitOptions): Promise<void>
  sendBatchAsync(frames: readonly Uint8Array[], options?: WaitOptions): Promise<void>
  drained(options?: WaitOptions): Promise<void>
  waitDrained(timeoutMs: number): boolean
  get availableSlots(): number
  get pendingCount(): number
  get rejectedSlots(): number
  txStats(): TxStats
  writable(options?: { readonly signal?: AbortSignal; readonly highWaterMark?: number }): Writable
}
type SinkEvent = 'rejected' | 'close'
declare class Injector extends FrameSink {
  readonly interface: string
  readonly fd: number
  private constructor()
  static open(interfaceName: string, options?: InjectorOptions): Injector
  on(event: 'rejected', listener: (reason: NetringError) => void): this
  on(event: 'close', listener: () => void): this
}
interface InterfaceInfo {
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
  readonly linkType: LinkType
}
declare function listInterfaces(options?: { readonly netns?: string }): InterfaceInfo[]
declare function interfaceInfo(
  name: string,
  options?: {
    readonly netns?: string
  },
): InterfaceInfo
declare function suggestProfile(name: string): Profile
declare function suggestFanoutThreads(
  name: string,
  options?: {
    readonly netns?: string
  },
): number
interface FanoutPoolOptions {
  readonly workers?: number
  readonly mode?: FanoutMode
  readonly rollover?: boolean
  readonly defrag?: boolean
  readonly ignoreOutgoing?: boolean
  readonly program?: Program
  readonly backend?: 'packet' | 'xdp'
  readonly capture?: CaptureOptions
  readonly xdp?: XdpOptions
  readonly pinToCpus?: boolean | readonly number[]
  readonly restart?: boolean
  readonly stopTimeoutMs?: number
  readonly workerData?: unknown
  readonly signal?: AbortSignal
}
interface FanoutContext {
  readonly index: number
  readonly workers: number
  readonly signal: AbortSignal
  readonly workerData: unknown
  post(message: unknown, transfer?: readonly Transferable[]): void
}
type FanoutFunction = (source: PacketSource, context: FanoutContext) => unknown
interface FanoutPoolStats extends CaptureStats {
  readonly perWorker: readonly CaptureStats[]
}
type FanoutPoolEvent = 'message' | 'restart' | 'error' | 'close'
declare class FanoutPool extends Emitter implements AsyncDisposable {
  private constructor()
  static start(interfaceName: string, module: URL | string, options?: FanoutPoolOptions): Promise<FanoutPool>
  get workers(): readonly Worker[]
  get fanoutId(): number | undefined
  get closed(): boolean
  stats(): Promise<FanoutPoolStats>
  cumulativeStats(): Promise<FanoutPoolStats>
  on(event: 'message', listener: (message: unknown, worker: number) => void): this
  on(event: 'restart', listener: (worker: number, cause: Error) => void): this
  on(event: 'error', listener: (error: Error, worker: number) => void): this
  on(event: 'close', listener: () => void): this
  once(event: 'message', listener: (message: unknown, worker: number) => void): this
  once(event: 'restart', listener: (worker: number, cause: Error) => void): this
  once(event: 'error', listener: (error: Error, worker: number) => void): this
  once(event: 'close', listener: () => void): this
  finished(options?: WaitOptions): Promise<void>
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
  ref(): this
  unref(): this
}
type XdpEvent = SourceEvent | 'rejected'
interface XdpStats {
  readonly rxDropped: number
  readonly rxInvalidDescriptors: number
  readonly txInvalidDescriptors: number
  readonly rxRingFull: number
  readonly rxFillRingEmpty: number
  readonly txRingEmpty: number
}
declare class XdpSocket extends BatchSource {
  static readonly defaults: XdpDefaults
  readonly interface: string
  readonly queues: readonly number[]
  readonly zeroCopy: boolean
  private constructor()
  static open(interfaceName: string, options?: XdpOptions): XdpSocket
  get attached(): 'native' | 'skb' | 'none'
  setFilter(filter: PacketFilter | string): void
  detachFilter(): void
  xdpStats(): XdpStats
  on(event: SourceEvent, listener: () => void): this
  on(event: 'rejected', listener: (reason: NetringError) => void): this
  close(): void
}
interface XdpSocket extends Omit<PacketSink, keyof Disposable | 'closed' | 'close'> {
  readonly frameCapacity: number
  readonly frameCount: number
  readonly pendingCount: number
  readonly rejectedSlots: number
  allocate(length: number): Slot | undefined
  flush(): number
  txStats(): TxStats
}

export {
  Bridge,
  Capture,
  ChannelCapture,
  FanoutPool,
  Injector,
  NetringError,
  PacketFilter,
  PacketStatus,
  ParseError,
  PcapReader,
  PcapWriter,
  XdpSocket,
  directions,
  interfaceInfo,
  listInterfaces,
  suggestFanoutThreads,
  suggestProfile,
}
export type {
  Batch,
  BpfInstruction,
  BridgeDirection,
  BridgeEvent,
  BridgeHook,
  BridgeOptions,
  BridgeStats,
  CaptureOptions,
  CaptureStats,
  ChannelDefaults,
  ChannelOptions,
  Direction,
  FanoutContext,
  FanoutFunction,
  FanoutMode,
  FanoutOptions,
  FanoutPoolEvent,
  FanoutPoolOptions,
  FanoutPoolStats,
  Filter,
  FilteredBatch,
  InjectorOptions,
  InterfaceInfo,
  LinkType,
  NetringErrorCode,
  NetringErrorDetails,
  OwnedPacket,
  Packet,
  PacketColumns,
  PacketError,
  PacketFields,
  PacketFilterOptions,
  PacketLoopOptions,
  PacketSink,
  PacketSource,
  ParsedArp,
  ParsedColumns,
  ParsedFragment,
  ParsedIcmp,
  ParsedIp,
  ParsedLink,
  ParsedPacket,
  ParsedTcp,
  ParsedUdp,
  ParsedVlan,
  PcapInterface,
  PcapInterfaceStats,
  PcapRotation,
  PcapWriterEvent,
  PcapWriterOptions,
  PcapWriterStats,
  Profile,
  Program,
  QueueOptions,
  RingShape,
  SideOptions,
  SinkEvent,
  Slot,
  SourceEvent,
  TcpOption,
  TxStats,
  WaitOptions,
  XdpChannelOptions,
  XdpDefaults,
  XdpEvent,
  XdpOptions,
  XdpStats,
}

/** Packet I/O for Linux: AF_PACKET and AF_XDP rings from TypeScript. */
export { Bridge } from './bridge/bridge.js'
export type { BridgeEvent } from './bridge/bridge.js'
export type { BridgeDirection, BridgeStats } from './bridge/engine.js'
export { Capture } from './capture/capture.js'
export type { RingShape } from './capture/ring.js'
export { ChannelCapture } from './channel/channel-capture.js'
export { NetringError } from './errors/netring-error.js'
export type { NetringErrorCode, NetringErrorDetails } from './errors/netring-error.js'
export { PcapReader } from './file/pcap-reader.js'
export type { PcapInterface, PcapInterfaceStats } from './file/interfaces.js'
export { PcapWriter } from './file/pcap-writer.js'
export type { PcapWriterEvent, PcapWriterStats } from './file/pcap-writer.js'
export type { PcapRotation, PcapWriterOptions } from './file/options.js'
export { Injector } from './injector/injector.js'
export { interfaceInfo, listInterfaces, suggestFanoutThreads, suggestProfile } from './interface/interfaces.js'
export type { InterfaceInfo } from './interface/interfaces.js'
export type { BridgeHook, BridgeOptions, SideOptions } from './bridge/options.js'
export type { CaptureOptions, Profile } from './capture/options.js'
export type { ChannelDefaults, ChannelOptions, QueueOptions, XdpChannelOptions } from './channel/options.js'
export type { FanoutMode, FanoutOptions } from './capture/fanout.js'
export type { FanoutPoolOptions } from './pool/options.js'
export type { InjectorOptions } from './injector/options.js'
export type { Filter } from './filter/filter.js'
export { PacketFilter } from './filter/packet-filter.js'
export type { PacketFilterOptions } from './filter/packet-filter.js'
export type { FilteredBatch } from './filter/select.js'
export type { BpfInstruction, Program } from './filter/program.js'
export type { ParsedColumns } from './parse/columns.js'
export { ParseError } from './parse/errors.js'
export type { PacketError } from './parse/errors.js'
export type {
  ParsedArp,
  ParsedFragment,
  ParsedIcmp,
  ParsedIp,
  ParsedLink,
  ParsedPacket,
  ParsedTcp,
  ParsedUdp,
  ParsedVlan,
  TcpOption,
} from './parse/packet.js'
export type { XdpDefaults, XdpOptions } from './xdp/options.js'
export type { FanoutContext, FanoutFunction } from './pool/context.js'
export type { FanoutPoolStats } from './pool/stats.js'
export { FanoutPool } from './pool/pool.js'
export type { FanoutPoolEvent } from './pool/pool.js'
export type { SinkEvent } from './injector/injector.js'
export type { PacketSink, Slot, TxStats } from './sink/packet-sink.js'
export type { Batch } from './packet/batch.js'
export type { LinkType } from './packet/link-type.js'
export { directions, PacketStatus } from './packet/columns.js'
export type { Direction, PacketColumns } from './packet/columns.js'
export type { OwnedPacket, Packet, PacketFields } from './packet/packet.js'
export type { CaptureStats } from './source/counters.js'
export type { PacketLoopOptions } from './source/loop-options.js'
export type { PacketSource } from './source/packet-source.js'
export type { WaitOptions } from './check/wait.js'
export type { SourceEvent } from './source/packet-source.js'
export { XdpSocket } from './xdp/xdp-socket.js'
export type { XdpEvent, XdpStats } from './xdp/xdp-socket.js'

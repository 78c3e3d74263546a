/** Packet I/O for Linux: AF_PACKET and AF_XDP rings from TypeScript. */
export { Bridge } from './bridge.js'
export type { BridgeEvent } from './bridge.js'
export type { BridgeDirection, BridgeStats } from './bridge/engine.js'
export { Capture } from './capture.js'
export type { RingShape } from './capture.js'
export { ChannelCapture } from './channel.js'
export { NetringError } from './errors.js'
export type { NetringErrorCode, NetringErrorDetails } from './errors.js'
export { Injector } from './injector.js'
export { interfaceInfo, listInterfaces, suggestFanoutThreads, suggestProfile } from './interfaces.js'
export type { InterfaceInfo } from './interfaces.js'
export type { BridgeHook, BridgeOptions, SideOptions } from './options/bridge.js'
export type { CaptureOptions, Profile } from './options/capture.js'
export type { ChannelDefaults, ChannelOptions } from './options/channel.js'
export type { FanoutMode, FanoutOptions } from './options/fanout.js'
export type { FanoutPoolOptions } from './options/pool.js'
export type { InjectorOptions } from './options/injector.js'
export type { BpfInstruction, Filter, Program } from './options/program.js'
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
export type { XdpDefaults, XdpOptions } from './options/xdp.js'
export type { FanoutContext, FanoutFunction } from './pool/context.js'
export type { FanoutPoolStats } from './pool/counts.js'
export { FanoutPool } from './pool/pool.js'
export type { FanoutPoolEvent } from './pool/pool.js'
export type { SinkEvent } from './sink/native-packet-sink.js'
export type { PacketSink, Slot, TxStats } from './sink/packet-sink.js'
export type { Batch } from './source/batch.js'
export { directions, PacketStatus } from './source/columns.js'
export type { Direction, PacketColumns } from './source/columns.js'
export type { OwnedPacket, Packet, PacketFields } from './source/packet.js'
export type { CaptureStats, PacketLoopOptions, PacketSource, WaitOptions } from './source/packet-source.js'
export type { SourceEvent } from './source/linked-endpoint.js'
export { XdpSocket } from './xdp.js'
export type { XdpEvent, XdpStats } from './xdp.js'

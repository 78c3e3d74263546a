/** The one place that loads the native addon. */
export {
  NativeCapture,
  NativeChannel,
  NativeInjector,
  NativeXdpSocket,
  nativeColumnStarts,
  nativeInterfaceInfo,
  nativeListInterfaces,
  nativeParsedStarts,
  nativeParsePacket,
  nativeRecordWords,
} from '../index.js'
export type {
  NativeCaptureOptions,
  NativeChannelOptions,
  NativeFanout,
  NativeFlush,
  NativeInjectorOptions,
  NativeInterfaceInfo,
  NativeProgram,
  NativeStats,
  NativeTxStats,
  NativeXdpOptions,
} from '../index.js'

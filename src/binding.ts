/** The one place that loads the native addon. */
export {
  NativeCapture,
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
  NativeFanout,
  NativeFlush,
  NativeInjectorOptions,
  NativeInterfaceInfo,
  NativeProgram,
  NativeStats,
  NativeTxStats,
  NativeXdpOptions,
} from '../index.js'

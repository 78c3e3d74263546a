/** The one place that loads the native addon. */
export {
  NativeCapture,
  NativeInjector,
  NativeParser,
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
  NativeInjectorOptions,
  NativeInterfaceInfo,
  NativeProgram,
  NativeStats,
} from '../index.js'

/** The one place that loads the native addon. */
export {
  NativeCapture,
  NativeInjector,
  NativeSharedProgram,
  NativeXdpSocket,
  nativeAllowedCpus,
  nativeColumnStarts,
  nativeInterfaceInfo,
  nativeListInterfaces,
  nativeOpenGates,
  nativePinThread,
  nativeShutGates,
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

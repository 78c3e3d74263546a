/** The one place that loads the native addon. */
export {
  NativeBridge,
  NativeCapture,
  NativeInjector,
  NativeLane,
  NativeXdpSocket,
  nativeColumnStarts,
  nativeInterfaceInfo,
  nativeListInterfaces,
  nativeOpenLanes,
  nativeOpenXdpLanes,
} from '../index.js'
export type {
  NativeCaptureOptions,
  NativeDirectionStats,
  NativeFanout,
  NativeFlush,
  NativeInjectorOptions,
  NativeInterfaceInfo,
  NativeProgram,
  NativeSideOptions,
  NativeStats,
  NativeTxStats,
  NativeXdpOptions,
  NativeXdpSideOptions,
} from '../index.js'

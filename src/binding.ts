/** The one place that loads the native addon. */
export {
  NativeCapture,
  NativeInjector,
  nativeColumnStarts,
  nativeInterfaceInfo,
  nativeListInterfaces,
} from '../index.js'
export type {
  NativeCaptureOptions,
  NativeFanout,
  NativeInjectorOptions,
  NativeInterfaceInfo,
  NativeProgram,
  NativeStats,
} from '../index.js'

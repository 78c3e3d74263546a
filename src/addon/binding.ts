/** The one place that the rest of src has the native addon from. Where it did not load, every use says why. */
import { NetringError } from '../errors/netring-error.js'
import type * as Addon from '../../index.js'
import { loaded } from './loaded.js'

/** The addon. Throws NetringError ERR_NETRING_UNSUPPORTED or ERR_NETRING_PERMISSION where there is none. */
export function addon(): typeof Addon {
  const { addon: present, refusal } = loaded
  if (present !== undefined) return present
  throw new NetringError(refusal.code, refusal.message, { cause: refusal.cause })
}

export type {
  NativeBridge,
  NativeBridgeFilters,
  NativeCapture,
  NativeCaptureOptions,
  NativeChannel,
  NativeDirectionStats,
  NativeExpression,
  NativeFanout,
  NativeFile,
  NativeFileInterface,
  NativeFileWriter,
  NativeFileWriterOptions,
  NativeFilter,
  NativeFilterOption,
  NativeFlush,
  NativeForwarder,
  NativeHost,
  NativeInjectorOptions,
  NativeInterfaceInfo,
  NativeProgram,
  NativeQueueLimits,
  NativeSideOptions,
  NativeSink,
  NativeSource,
  NativeStats,
  NativeTxStats,
  NativeXdpOptions,
  NativeXdpSideOptions,
  NativeXdpSocket,
} from '../../index.js'

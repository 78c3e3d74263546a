/** The one place that the rest of src has the native addon from. It is loaded on import, and where that fails every use says why. */
import type * as Addon from '../index.js'
import { loadAddon } from './addon/load.js'
import { NetringError } from './errors.js'

const { addon: loaded, refusal } = loadAddon()

/** The addon. Throws NetringError ERR_NETRING_UNSUPPORTED or ERR_NETRING_PERMISSION where there is none. */
export function addon(): typeof Addon {
  if (loaded !== undefined) return loaded
  throw new NetringError(refusal.code, refusal.message, { cause: refusal.cause })
}

/** Where each column starts, in bytes a packet, and what all take; empty without an addon, as are those below. */
export const columnStarts: readonly number[] = loaded?.nativeColumnStarts() ?? []
/** The same of parsed columns. */
export const parsedStarts: readonly number[] = loaded?.nativeParsedStarts() ?? []
/** Of a packet's parsed record. */
export const recordWords: number = loaded?.nativeRecordWords() ?? 0

export type {
  NativeBridge,
  NativeCapture,
  NativeCaptureOptions,
  NativeChannel,
  NativeChannelOptions,
  NativeDirectionStats,
  NativeFanout,
  NativeFlush,
  NativeInjector,
  NativeInjectorOptions,
  NativeInterfaceInfo,
  NativeForwarder,
  NativeProgram,
  NativeSideOptions,
  NativeStats,
  NativeTxStats,
  NativeXdpOptions,
  NativeXdpSideOptions,
  NativeXdpSocket,
} from '../index.js'

/** What forwards, behind a Bridge: a native thread, or JavaScript with a hook. */
import type { NativeDirectionStats } from '../addon/binding.js'
import { NetringError } from '../errors/netring-error.js'

/** Which way a packet goes. */
export type BridgeDirection = 'aToB' | 'bToA'

/** Both, in the order of the native side. */
export const bridgeDirections: readonly [BridgeDirection, BridgeDirection] = ['aToB', 'bToA']

/**
 * Frames of one direction, since the bridge was opened:
 * `received = forwarded + dropped + tooLarge + ringFull + rejected + pending`.
 */
export interface BridgeStats {
  /** Taken out of the ring. */
  readonly received: number
  /** Taken by the kernel on the other side. What drops a frame below that in silence is not known here. */
  readonly forwarded: number
  /** By the filter or the hook. */
  readonly dropped: number
  /** Longer than the other side's MTU allows and not to be cut into segments, or longer than a block of the ring. */
  readonly tooLarge: number
  /** Given up: there never was room on the other side, although none of the bridge's frames waited there. */
  readonly ringFull: number
  /** The other side was down, or could make nothing of the frame. */
  readonly rejected: number
  /** Taken out of the ring, and not decided or not taken by the other side yet. */
  readonly pending: number
  /** Times that forwarding stopped for want of room on the other side; the frames waited and are counted elsewhere. */
  readonly pushedBack: number
  /** Dropped by the kernel because the ring was full: not `received`. */
  readonly kernelDrops: number
}

/** Gets the errors of refused frames as texts, of each direction. */
export type Reporter = (reports: readonly (readonly string[])[]) => void

/** What forwards. */
export interface Engine {
  /** Forwards until close(), which resolves it, or the signal, with whose reason it rejects, or a side is gone. */
  run(signal: AbortSignal | undefined): Promise<void>
  /** Forwards what is there, waiting for something on this thread, at most so long; whether there was. */
  round(timeoutMs: number): boolean
  stats(): readonly NativeDirectionStats[]
  /** Forwards nothing more; to be closed next. */
  halt(): void
  close(): void
}

/** The error of an object that was closed. */
export function closedError(): NetringError {
  return new NetringError('ERR_NETRING_CLOSED', 'the bridge is closed; open another')
}

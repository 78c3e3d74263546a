/** Options of a channel: those of a capture, and how much it queues. */
import type { NativeCaptureOptions, NativeQueueLimits, NativeXdpOptions } from '../addon/binding.js'
import { captureDefaults, captureKeys, checkCaptureOptions, type CaptureOptions } from '../capture/options.js'
import { checkInteger, checkObject, checkOneOf } from '../check/arguments.js'
import { checkXdpOptions, xdpKeys, type XdpOptions } from '../xdp/options.js'

const policies = ['block', 'dropOldest', 'dropNewest'] as const

/** How much a channel queues. */
export interface QueueOptions {
  /** Packets that the queue holds. Memory is taken as it fills: 44 bytes a packet beside its bytes. Default 262144. */
  readonly capacity?: number
  /**
   * Bytes of packets that it holds; a packet that alone has more is dropped and counted whatever `whenFull` says. Default
   * 256 MiB.
   */
  readonly capacityBytes?: number
  /**
   * What to do with a packet when the queue is full. 'block': it waits in the ring; the kernel drops what finds no room
   * there, and counts it (`stats().drops`). 'dropOldest': the oldest make room. 'dropNewest': it is dropped. What is
   * dropped here is counted in `overflowed`. Default 'block', which drops least.
   */
  readonly whenFull?: 'block' | 'dropOldest' | 'dropNewest'
}

/** Options of {@link ChannelCapture.open}, all optional: those of the ring that is drained, and those of the queue. */
export interface ChannelOptions extends CaptureOptions, QueueOptions {}

/** Options of {@link ChannelCapture.openXdp}, all optional: those of the socket that is drained, and those of the queue. */
export interface XdpChannelOptions extends Omit<XdpOptions, 'mode' | 'completionSize' | 'txSize'>, QueueOptions {}

/** What {@link ChannelOptions} are when they are not given. */
export type ChannelDefaults = Required<Omit<ChannelOptions, 'profile' | 'fanout' | 'filter' | 'netns'>>

/** The defaults of {@link ChannelOptions}. */
export const channelDefaults: ChannelDefaults = Object.freeze({
  ...captureDefaults,
  capacity: 262_144,
  capacityBytes: 256 * 1024 * 1024,
  whenFull: 'block',
})

const queueKeys: readonly string[] = ['capacity', 'capacityBytes', 'whenFull']

/** The options that are not about the queue. */
function withoutQueue(given: object): object {
  return Object.fromEntries(Object.entries(given).filter(([key]) => !queueKeys.includes(key)))
}

function checkLimits({ capacity, capacityBytes, whenFull }: QueueOptions): NativeQueueLimits {
  return {
    capacity: checkInteger('options.capacity', capacity, channelDefaults.capacity, 1),
    capacityBytes: checkInteger(
      'options.capacityBytes',
      capacityBytes,
      channelDefaults.capacityBytes,
      1,
      Number.MAX_SAFE_INTEGER,
    ),
    whenFull: checkOneOf('options.whenFull', whenFull, policies, channelDefaults.whenFull),
  }
}

/**
 * Checks every option and fills in the defaults.
 * @throws TypeError, RangeError naming the option
 */
export function checkChannelOptions(options: ChannelOptions | undefined): {
  readonly capture: NativeCaptureOptions
  readonly limits: NativeQueueLimits
} {
  const given = checkObject('options', options, [...captureKeys, ...queueKeys])
  return { capture: checkCaptureOptions(withoutQueue(given)).native, limits: checkLimits(given) }
}

/** What a socket that only receives has no use for: the channel's mode is 'rx'. */
const sendingKeys: readonly string[] = ['mode', 'completionSize', 'txSize']

/**
 * The same over AF_XDP.
 * @throws TypeError, RangeError naming the option; NetringError ERR_NETRING_CONFIG for options that do not go together
 */
export function checkXdpChannelOptions(options: XdpChannelOptions | undefined): {
  readonly xdp: NativeXdpOptions
  readonly limits: NativeQueueLimits
} {
  const keys = xdpKeys.filter((key) => !sendingKeys.includes(key))
  const given = checkObject('options', options, [...keys, ...queueKeys])
  const xdp = checkXdpOptions({ ...withoutQueue(given), mode: 'rx' }).native
  return { xdp, limits: checkLimits(given) }
}

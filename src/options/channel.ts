/** Options of a channel: those of a capture, and how much it queues. */
import type { NativeChannelOptions } from '../binding.js'
import { captureDefaults, captureKeys, checkCaptureOptions, type CaptureOptions } from './capture.js'
import { checkInteger, checkObject, checkOneOf } from './check.js'

const policies = ['block', 'dropOldest', 'dropNewest'] as const

/** Options of {@link ChannelCapture.open}, all optional: those of the ring that is drained, and those of the queue. */
export interface ChannelOptions extends CaptureOptions {
  /** Packets that the queue holds. Memory is taken as it fills: 44 bytes a packet beside its bytes. Default 262144. */
  readonly capacity?: number
  /**
   * Bytes of packets that it holds; a packet that alone has more is dropped and counted whatever `whenFull` says. Default
   * 256 MiB.
   */
  readonly capacityBytes?: number
  /**
   * What happens to a packet that finds no room. 'block': it waits in the ring, and what then finds no room there the
   * kernel drops and counts (`stats().drops`). 'dropOldest': the oldest make room. 'dropNewest': it is dropped. What is
   * dropped here is counted in `overflowed`. Default 'block', which drops least.
   */
  readonly whenFull?: 'block' | 'dropOldest' | 'dropNewest'
}

/** What {@link ChannelOptions} are when they are not given. */
export type ChannelDefaults = Required<Omit<ChannelOptions, 'profile' | 'fanout' | 'filter' | 'netns'>>

/** The defaults of {@link ChannelOptions}. */
export const channelDefaults: ChannelDefaults = Object.freeze({
  ...captureDefaults,
  capacity: 262_144,
  capacityBytes: 256 * 1024 * 1024,
  whenFull: 'block',
})

/**
 * Checks every option and fills in the defaults.
 * @throws TypeError, RangeError naming the option
 */
export function checkChannelOptions(options: ChannelOptions | undefined): NativeChannelOptions {
  const given = checkObject('options', options, [...captureKeys, 'capacity', 'capacityBytes', 'whenFull'])
  const { capacity, capacityBytes, whenFull, ...capture } = given
  return {
    capture: checkCaptureOptions(capture).native,
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

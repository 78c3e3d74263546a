/** Options of an injector. */
import type { NativeInjectorOptions } from '../addon/binding.js'
import { checkBoolean, checkInteger, checkObject, checkOneOf, checkString } from '../check/arguments.js'

/** Options of {@link Injector.open}, all optional. */
export interface InjectorOptions {
  /** Bytes of the largest frame, its link-layer header included. Default 2048. */
  readonly frameSize?: number
  /** Slots. Default 1024. */
  readonly frameCount?: number
  /** Past the queueing discipline, straight to the driver; other packet sockets do not see such frames. Default false. */
  readonly qdiscBypass?: boolean
  /**
   * What a flush does at a frame that the kernel refuses (longer than the MTU allows, say): go on behind it and emit
   * 'rejected', or throw and leave the rest queued. Counted in either case. Default 'skip'.
   */
  readonly onMalformed?: 'skip' | 'stop'
  /** A name under /run/netns or a path such as /proc/PID/ns/net. Default: this process's namespace. */
  readonly netns?: string
}

/** Every option's name. */
export const injectorKeys = ['frameSize', 'frameCount', 'qdiscBypass', 'onMalformed', 'netns'] as const

/** The largest buffer that can be one frame: a GSO packet of IPv6 jumbograms. */
const LARGEST_FRAME = 524_288

/**
 * Checks every option and fills in the defaults. `at` is what errors call the options.
 * @throws TypeError, RangeError naming the option
 */
export function checkInjectorOptions(options: InjectorOptions | undefined, at = 'options'): NativeInjectorOptions {
  const given = checkObject(at, options, injectorKeys)
  return {
    frameSize: checkInteger(`${at}.frameSize`, given.frameSize, 2048, 14, LARGEST_FRAME),
    frameCount: checkInteger(`${at}.frameCount`, given.frameCount, 1024, 1, 1 << 20),
    qdiscBypass: checkBoolean(`${at}.qdiscBypass`, given.qdiscBypass, false),
    stopOnMalformed: checkOneOf(`${at}.onMalformed`, given.onMalformed, ['skip', 'stop'], 'skip') === 'stop',
    ...(given.netns !== undefined && { netns: checkString(`${at}.netns`, given.netns) }),
  }
}

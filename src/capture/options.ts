/** Options of a capture: names, defaults, profiles. */
import type { NativeCaptureOptions } from '../addon/binding.js'
import {
  checkBoolean,
  checkInteger,
  checkMilliseconds,
  checkObject,
  checkOneOf,
  checkString,
} from '../check/arguments.js'
import { checkFilter, type Filter } from '../filter/filter.js'
import { checkFanout, type FanoutOptions } from './fanout.js'

/** What each profile changes of the defaults; docs/tuning.md has the same as a table. */
export const profiles: Readonly<Record<Profile, CaptureOptions>> = {
  /** 256 MiB; blocks of 4 MiB, handed over when full or after 60 ms. */
  default: {},
  /** 1 GiB: takes bursts and pauses of the event loop. */
  highThroughput: { blockCount: 256 },
  /** Blocks of 256 KiB, handed over within about a millisecond. */
  lowLatency: { blockSize: 256 * 1024, blockTimeoutMs: 1 },
  /** 16 MiB. */
  lowMemory: { blockSize: 1024 * 1024, blockCount: 16, blockTimeoutMs: 100 },
  /** The default with frames of 64 KiB; V3 packs frames of any length into its blocks either way. */
  jumboFrames: { frameSize: 65536 },
}

/** A named set of ring options. Options given beside it win. */
export type Profile = 'default' | 'highThroughput' | 'lowLatency' | 'lowMemory' | 'jumboFrames'

/** Options of {@link Capture.open}, all optional. */
export interface CaptureOptions {
  /** Ring options by name; what stands beside it wins. */
  readonly profile?: Profile
  /** Bytes a block, a multiple of the page size. Default 4 MiB. */
  readonly blockSize?: number
  /** Blocks. Default 64. Where memory is short fewer are taken, at least a quarter: see `ring.blockCount`. */
  readonly blockCount?: number
  /** Bytes a frame, as the kernel is told; V3 packs packets whatever it says. Default 2048. */
  readonly frameSize?: number
  /** Milliseconds after which a block with packets is handed over even if it is not full. 0: the kernel chooses. Default 60. */
  readonly blockTimeoutMs?: number
  /** Have the kernel compute the flow hash `rxhash`. Default true. */
  readonly fillRxhash?: boolean
  /** Bytes kept of a packet; longer ones are `truncated`. Default 262144, tcpdump's "whole packet". */
  readonly snapLen?: number
  /** Promiscuous mode: also receive frames addressed to other hosts. Default false. */
  readonly promiscuous?: boolean
  /** Leave out what this host sends. Default false. */
  readonly ignoreOutgoing?: boolean
  /** SO_BUSY_POLL in microseconds, socket(7). Default 0: not set. */
  readonly busyPollUs?: number
  /** SO_REUSEPORT. Refused by kernels from 6.14 on. Default false. */
  readonly reusePort?: boolean
  /** SO_RCVBUF in bytes. The ring does not use it. Default 0: not set. */
  readonly receiveBufferBytes?: number
  /** SO_RCVBUFFORCE instead, past net.core.rmem_max; needs CAP_NET_ADMIN. Default false. */
  readonly receiveBufferForce?: boolean
  /**
   * Which clock stamps packets; the kernel falls back to software where the hardware has
   * none. 'systemHardware' is deprecated in the kernel and gives software times there. Default 'software'.
   */
  readonly timestampSource?: 'software' | 'rawHardware' | 'systemHardware'
  /** How long nextBatchBlocking() and packets() wait by default. Default 100. */
  readonly pollTimeoutMs?: number
  /** Put the VLAN tag that the kernel strips back into the frame, or leave it in the metadata. Default 'reinsert'. */
  readonly vlan?: 'reinsert' | 'metadata'
  /** A name under /run/netns or a path such as /proc/PID/ns/net. Default: this process's namespace. Needs CAP_SYS_ADMIN. */
  readonly netns?: string
  /** Share the interface's packets with other captures. */
  readonly fanout?: FanoutOptions
  /** Which packets enter the ring, such as `'tcp port 443'`. Default: all. */
  readonly filter?: Filter
}

/** The defaults of {@link CaptureOptions}. */
export const captureDefaults: Required<Omit<CaptureOptions, 'profile' | 'fanout' | 'filter' | 'netns'>> = Object.freeze(
  {
    blockSize: 4 * 1024 * 1024,
    blockCount: 64,
    frameSize: 2048,
    blockTimeoutMs: 60,
    fillRxhash: true,
    snapLen: 262_144,
    promiscuous: false,
    ignoreOutgoing: false,
    busyPollUs: 0,
    reusePort: false,
    receiveBufferBytes: 0,
    receiveBufferForce: false,
    timestampSource: 'software',
    pollTimeoutMs: 100,
    vlan: 'reinsert',
  },
)

/** The names of all options. */
export const captureKeys: readonly string[] = [...Object.keys(captureDefaults), 'profile', 'fanout', 'filter', 'netns']

/** setsockopt takes an int. */
const INT_MAX = 0x7fff_ffff

/**
 * Checks every option and fills in the defaults. `at` is what errors call the options.
 * @throws TypeError, RangeError naming the option
 */
export function checkCaptureOptions(
  options: CaptureOptions | undefined,
  at: string = 'options',
): {
  readonly native: NativeCaptureOptions
  readonly pollTimeoutMs: number
} {
  const given = checkObject(at, options, captureKeys)
  const profile = checkOneOf(`${at}.profile`, given.profile, Object.keys(profiles) as Profile[], 'default')
  const base = { ...captureDefaults, ...profiles[profile] }
  const integer = (key: keyof typeof base & keyof CaptureOptions, least: number, most = 0xffff_ffff): number =>
    checkInteger(`${at}.${key}`, given[key], base[key] as number, least, most)
  const boolean = (key: keyof typeof base & keyof CaptureOptions): boolean =>
    checkBoolean(`${at}.${key}`, given[key], base[key] as boolean)
  const fanout = checkFanout(given.fanout, `${at}.fanout`)
  return {
    pollTimeoutMs: checkMilliseconds(`${at}.pollTimeoutMs`, given.pollTimeoutMs, base.pollTimeoutMs),
    native: {
      blockSize: integer('blockSize', 1),
      blockCount: integer('blockCount', 1),
      frameSize: integer('frameSize', 1),
      blockTimeoutMs: integer('blockTimeoutMs', 0, INT_MAX),
      fillRxhash: boolean('fillRxhash'),
      snapLen: integer('snapLen', 1),
      promiscuous: boolean('promiscuous'),
      ignoreOutgoing: boolean('ignoreOutgoing'),
      busyPollUs: integer('busyPollUs', 0, INT_MAX),
      reusePort: boolean('reusePort'),
      receiveBufferBytes: integer('receiveBufferBytes', 0, INT_MAX),
      receiveBufferForce: boolean('receiveBufferForce'),
      timestampSource: checkOneOf(
        `${at}.timestampSource`,
        given.timestampSource,
        ['software', 'rawHardware', 'systemHardware'],
        base.timestampSource,
      ),
      reinsertVlan: checkOneOf(`${at}.vlan`, given.vlan, ['reinsert', 'metadata'], base.vlan) === 'reinsert',
      ...(given.netns !== undefined && { netns: checkString(`${at}.netns`, given.netns) }),
      ...(fanout && { fanout }),
      ...(given.filter !== undefined && { filter: checkFilter(`${at}.filter`, given.filter) }),
    },
  }
}

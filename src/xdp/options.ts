/** Options of an AF_XDP socket: names, defaults, what does not go together. */
import type { NativeXdpOptions } from '../addon/binding.js'
import {
  checkBoolean,
  checkFd,
  checkInteger,
  checkMilliseconds,
  checkObject,
  checkOneOf,
  checkString,
  refusal,
  wrongType,
} from '../check/arguments.js'
import { checkXdpFilter } from '../filter/filter.js'
import type { PacketFilter } from '../filter/packet-filter.js'

/** Options of {@link XdpSocket.open}, all optional. docs/xdp.md tells what they are good for. */
export interface XdpOptions {
  /** Which receive queues: one, several, or all that the interface has in use. Frames are sent through the first. Default 0. */
  readonly queues?: number | readonly number[] | 'all'
  /**
   * What the frames are for: all to receive, all to send (no program is attached), half and half, or so many (`prefill`)
   * to receive and the others to send. Default 'rxtx'.
   */
  readonly mode?:
    | 'rx'
    | 'tx'
    | 'rxtx'
    | {
        /** Frames that receive, at least one a queue and fewer than frameCount. */
        readonly prefill: number
      }
  /** Bytes a frame, 256 of which the kernel keeps: packets of 1792 or 3840 bytes fit. Default 2048. */
  readonly frameSize?: 2048 | 4096
  /** Frames, for all queues together. They are locked in memory. Default 4096. */
  readonly frameCount?: number
  /** Places in each queue's fill ring, a power of two. Default: room for every frame that receives. */
  readonly fillSize?: number
  /** Places in the completion ring, a power of two. Default: room for every frame that sends. */
  readonly completionSize?: number
  /** Places in each queue's receive ring, a power of two. Default: room for every frame that receives. */
  readonly rxSize?: number
  /** Places in the transmit ring, a power of two. Default: room for every frame that sends. */
  readonly txSize?: number
  /** Let the driver sleep until a system call wakes it for frames. Default true. */
  readonly needWakeup?: boolean
  /** The program in the driver ('native'), behind it ('skb'), or where it can be. Default 'auto'. */
  readonly attach?: 'auto' | 'native' | 'skb'
  /** Have the driver use the frames itself: where it can, or fail, or never. Default 'auto'; `zeroCopy` tells what was got. */
  readonly zeroCopy?: 'auto' | 'require' | 'never'
  /** Poll the device for `us` microseconds, at most `budget` packets each time; `prefer`: instead of its interrupts. Default: not. */
  readonly busyPoll?: {
    /** Microseconds, from 1. */
    readonly us: number
    /** Packets, up to 65535. Default: the kernel's, 8. */
    readonly budget?: number
    /** Leave interrupts off while it is polled. Default false. */
    readonly prefer?: boolean
  }
  /** Frames in huge pages, which have to be set aside. Default false. */
  readonly hugePages?: boolean
  /**
   * While packets come fast, a waiting reader is woken only once in this time, in microseconds, or a little later. The
   * first packet after silence wakes at once, and so does every packet as long as fewer than 32 come in that time. Small
   * UMEMs shorten it. 0: each wakes at once. At most 10000. Default 500.
   */
  readonly coalesceUs?: number
  /**
   * Take the place of an XDP program that is already on the interface, for good: another socket's loops and waits end with
   * ERR_NETRING_XDP_PROGRAM then, other programs get no notice. It goes once everything else has been had; where open() (or a
   * pool's start()) throws before, it stays. Default false.
   */
  readonly replace?: boolean
  /**
   * A program of your own: the descriptor of its XSKMAP and its own, or only the first where it, or another over the same map,
   * is attached already. Both stay yours.
   */
  readonly program?: {
    /** Of the map that the program redirects through. */
    readonly xskMapFd: number
    /** Of the program, to be attached. */
    readonly fd?: number
  }
  /**
   * What it matches comes to this socket; the rest goes on to the network stack. An expression that asks for a packet's direction or
   * interface, which XDP does not know, is refused. Default: everything comes.
   */
  readonly filter?: PacketFilter | string
  /** How long nextBatchBlocking() and packets() wait by default. Default 100. */
  readonly pollTimeoutMs?: number
  /** A name under /run/netns or a path such as /proc/PID/ns/net. Default: this process's namespace. Needs CAP_SYS_ADMIN. */
  readonly netns?: string
}

/** Options that have a default of their own; rings are as large as the frames need. */
export type XdpDefaults = Required<
  Omit<XdpOptions, 'fillSize' | 'completionSize' | 'rxSize' | 'txSize' | 'busyPoll' | 'program' | 'filter' | 'netns'>
>

/** The defaults of {@link XdpOptions}. */
export const xdpDefaults: XdpDefaults = Object.freeze({
  queues: 0,
  mode: 'rxtx',
  frameSize: 2048,
  frameCount: 4096,
  needWakeup: true,
  attach: 'auto',
  zeroCopy: 'auto',
  hugePages: false,
  coalesceUs: 500,
  replace: false,
  pollTimeoutMs: 100,
})

const rings = ['fillSize', 'completionSize', 'rxSize', 'txSize'] as const
/** The names of all options. */
export const xdpKeys: readonly string[] = [
  ...Object.keys(xdpDefaults),
  ...rings,
  'busyPoll',
  'program',
  'filter',
  'netns',
]

/** As the kernel and crates/netring/src/xdp/options.rs have them. */
const LARGEST_RING = 1 << 20
const LONGEST_COALESCE_US = 10_000
const MOST_QUEUES = 0xffff
const MOST_BYTES = 0xffff_ffff
const INT_MAX = 0x7fff_ffff

/**
 * Checks every option and fills in the defaults. `at` is what errors call the options.
 * @throws TypeError, RangeError naming the option; NetringError ERR_NETRING_CONFIG for options that do not go together
 */
export function checkXdpOptions(
  options: XdpOptions | undefined,
  at: string = 'options',
): {
  readonly native: NativeXdpOptions
  readonly pollTimeoutMs: number
} {
  const given = checkObject(at, options, xdpKeys)
  const boolean = (key: 'needWakeup' | 'hugePages' | 'replace'): boolean =>
    checkBoolean(`${at}.${key}`, given[key], xdpDefaults[key])
  const queues = checkQueues(given.queues, at)
  const busyPoll = checkBusyPoll(given.busyPoll, at)
  const program = checkXdpProgram(given.program, at)
  const sizes: Partial<Record<(typeof rings)[number], number>> = {}
  for (const ring of rings) {
    const value = given[ring]
    if (value !== undefined) sizes[ring] = checkRing(ring, value, at)
  }
  const native: NativeXdpOptions = {
    ...(queues && { queues }),
    ...checkMode(given.mode, at),
    frameSize: checkFrameSize(given.frameSize, at),
    frameCount: checkInteger(`${at}.frameCount`, given.frameCount, xdpDefaults.frameCount, 1),
    ...sizes,
    needWakeup: boolean('needWakeup'),
    attach: checkOneOf(`${at}.attach`, given.attach, ['auto', 'native', 'skb'], xdpDefaults.attach),
    zeroCopy: checkOneOf(`${at}.zeroCopy`, given.zeroCopy, ['auto', 'require', 'never'], xdpDefaults.zeroCopy),
    ...(busyPoll && { busyPoll }),
    hugePages: boolean('hugePages'),
    coalesceUs: checkInteger(`${at}.coalesceUs`, given.coalesceUs, xdpDefaults.coalesceUs, 0, LONGEST_COALESCE_US),
    replace: boolean('replace'),
    ...(program && { program }),
    ...(given.filter !== undefined && { filter: checkXdpFilter(`${at}.filter`, given.filter) }),
    ...(given.netns !== undefined && { netns: checkString(`${at}.netns`, given.netns) }),
  }
  checkTogether(native, at)
  return {
    native,
    pollTimeoutMs: checkMilliseconds(`${at}.pollTimeoutMs`, given.pollTimeoutMs, xdpDefaults.pollTimeoutMs),
  }
}

/** Undefined for all. */
function checkQueues(value: XdpOptions['queues'], at: string): number[] | undefined {
  if (value === 'all') return undefined
  if (value === undefined || typeof value === 'number') return [checkInteger(`${at}.queues`, value, 0, 0, MOST_QUEUES)]
  if (!Array.isArray(value)) throw wrongType(`${at}.queues`, `a number, an array of numbers or 'all'`, value)
  const queues = Array.from(value as readonly unknown[], (queue, index) => {
    const name = `${at}.queues[${String(index)}]`
    if (queue === undefined) throw wrongType(name, 'a number', queue)
    return checkInteger(name, queue, 0, 0, MOST_QUEUES)
  })
  if (queues.length === 0) throw refusal(`${at}.queues must name at least one queue`)
  if (new Set(queues).size < queues.length) {
    throw refusal(`${at}.queues must name each queue once. Received ${queues.join(', ')}`)
  }
  return queues
}

function checkMode(value: XdpOptions['mode'], at: string): Pick<NativeXdpOptions, 'mode' | 'prefill'> {
  if (typeof value !== 'object' || value === null) {
    return { mode: checkOneOf(`${at}.mode`, value, ['rx', 'tx', 'rxtx'], 'rxtx'), prefill: 0 }
  }
  const { prefill } = checkObject(`${at}.mode`, value, ['prefill'])
  if (prefill === undefined) throw wrongType(`${at}.mode.prefill`, 'a number', prefill)
  return { mode: 'prefill', prefill: checkInteger(`${at}.mode.prefill`, prefill, 0, 1) }
}

function checkFrameSize(value: unknown, at: string): number {
  const size = checkInteger(`${at}.frameSize`, value, xdpDefaults.frameSize)
  if (size !== 2048 && size !== 4096) {
    throw refusal(`${at}.frameSize must be 2048 or 4096 bytes, as AF_XDP wants it. Received ${String(size)}`)
  }
  return size
}

function checkRing(name: string, value: unknown, at: string): number {
  const size = checkInteger(`${at}.${name}`, value, 0, 1, LARGEST_RING)
  if ((size & (size - 1)) !== 0) throw refusal(`${at}.${name} must be a power of two. Received ${String(size)}`)
  return size
}

function checkBusyPoll(value: XdpOptions['busyPoll'], at: string): NativeXdpOptions['busyPoll'] {
  if (value === undefined) return undefined
  const name = `${at}.busyPoll`
  const { us, budget, prefer } = checkObject(name, value, ['us', 'budget', 'prefer'])
  if (us === undefined) throw wrongType(`${name}.us`, 'a number', us)
  return {
    us: checkInteger(`${name}.us`, us, 0, 1, INT_MAX),
    ...(budget !== undefined && { budget: checkInteger(`${name}.budget`, budget, 0, 1, 0xffff) }),
    prefer: checkBoolean(`${name}.prefer`, prefer, false),
  }
}

function checkXdpProgram(value: XdpOptions['program'], at: string): NativeXdpOptions['program'] {
  if (value === undefined) return undefined
  const name = `${at}.program`
  const { xskMapFd, fd } = checkObject(name, value, ['xskMapFd', 'fd'])
  return {
    xskMapFd: checkFd(`${name}.xskMapFd`, xskMapFd),
    ...(fd !== undefined && { fd: checkFd(`${name}.fd`, fd) }),
  }
}

/** What does not go together, by name. */
function checkTogether(options: NativeXdpOptions, at: string): void {
  const { mode, prefill, frameCount, frameSize, queues } = options
  if (frameCount * frameSize > MOST_BYTES) {
    throw refusal(
      `${at}.frameCount ${String(frameCount)} of ${at}.frameSize ${String(frameSize)}: must be less than 4 GiB together`,
    )
  }
  if (options.zeroCopy === 'require' && options.attach === 'skb') {
    throw refusal(`${at}.zeroCopy 'require' does not go with ${at}.attach 'skb', which is behind the driver`)
  }
  if (mode === 'prefill' && prefill >= frameCount) {
    throw refusal(
      `${at}.mode.prefill ${String(prefill)} leaves no frame to send of ${at}.frameCount ${String(frameCount)}; use mode 'rx'`,
    )
  }
  const receiving = { rx: frameCount, tx: 0, rxtx: Math.floor(frameCount / 2), prefill }[mode]
  if (mode !== 'tx' && receiving < (queues?.length ?? 1)) {
    throw refusal(`${at}.frameCount ${String(frameCount)} is not enough for ${at}.queues in mode '${mode}'`)
  }
  // For lack of a program, of frames that receive, of frames that send.
  const idle = {
    tx: ['replace', 'program', 'filter', 'fillSize', 'rxSize'],
    rx: ['completionSize', 'txSize'],
    rxtx: [],
    prefill: [],
  } as const satisfies Record<string, readonly (keyof NativeXdpOptions)[]>
  for (const name of idle[mode]) {
    if (options[name] !== undefined && options[name] !== false) {
      throw refusal(`${at}.${name} does not go with ${at}.mode '${mode}', which has no use for it`)
    }
  }
  if (options.filter !== undefined && options.program !== undefined) {
    throw refusal(`${at}.filter does not go with ${at}.program: a program of your own decides what it redirects`)
  }
  if (options.replace && options.program !== undefined && options.program.fd === undefined) {
    throw refusal(`${at}.replace does not go with an ${at}.program that is attached already (xskMapFd without fd)`)
  }
}

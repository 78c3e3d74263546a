/** Options of a fanout pool. */
import { isAbsolute, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { addon, type NativeFanout } from '../addon/binding.js'
import { checkFanout, type FanoutMode, type FanoutOptions } from '../capture/fanout.js'
import { checkCaptureOptions, type CaptureOptions } from '../capture/options.js'
import {
  checkBoolean,
  checkInteger,
  checkMilliseconds,
  checkObject,
  checkOneOf,
  checkSignal,
  checkString,
  refusal,
  wrongType,
  wrongValue,
} from '../check/arguments.js'
import { native } from '../errors/native.js'
import type { Program } from '../filter/program.js'
import { suggestFanoutThreads } from '../interface/interfaces.js'
import { checkXdpOptions, type XdpOptions } from '../xdp/options.js'
import type { BackendPlan } from './work-backend.js'

/** Options of {@link FanoutPool.start}, all optional. docs/threads.md tells what they are good for. */
export interface FanoutPoolOptions {
  /** Threads, 1 to 256. Default: suggestFanoutThreads() of the interface; with the backend 'xdp' one a queue. */
  readonly workers?: number
  /** How the group picks the worker that gets a packet. Default 'hash': both directions of a flow at one worker. */
  readonly mode?: FanoutMode
  /** Go on to the next worker when the ring of the chosen one is full. Default false. */
  readonly rollover?: boolean
  /** Reassemble IP fragments first, so that all of a flow hash alike. Default false. */
  readonly defrag?: boolean
  /** Leave out what this host sends. Linux 6.2. Default false. */
  readonly ignoreOutgoing?: boolean
  /** For the modes `cbpf` and `ebpf`: returns the number of the worker. */
  readonly program?: Program
  /** Captures of a fanout group, or AF_XDP sockets of a queue each. Default 'packet'. */
  readonly backend?: 'packet' | 'xdp'
  /** Options of each worker's capture; its `fanout` is another place for the mode and the flags. */
  readonly capture?: CaptureOptions
  /** Options of each worker's AF_XDP socket; `queues` are those of the pool, each worker has one. */
  readonly xdp?: XdpOptions
  /** Run each worker on a CPU of its own: those that the process may use, in turn, or these. Default false. */
  readonly pinToCpus?: boolean | readonly number[]
  /** Put another worker in the place of one that fails. Default false: the others take over its share. */
  readonly restart?: boolean
  /** How long stop() lets workers finish before it terminates them. Default 5000. */
  readonly stopTimeoutMs?: number
  /** Given to each worker as `context.workerData`, as a structured clone. */
  readonly workerData?: unknown
  /** Aborting makes start() reject with `signal.reason`, and stops a pool that has started. */
  readonly signal?: AbortSignal
}

const keys = [
  'workers',
  'mode',
  'rollover',
  'defrag',
  'ignoreOutgoing',
  'program',
  'backend',
  'capture',
  'xdp',
  'pinToCpus',
  'restart',
  'stopTimeoutMs',
  'workerData',
  'signal',
] as const
const groupKeys = ['mode', 'rollover', 'defrag', 'ignoreOutgoing', 'program'] as const

/** `PACKET_FANOUT_MAX` before Linux 5.12, and what a group has room for by default since (net/packet/internal.h). */
const MOST_WORKERS = 256
const MOST_CPUS = 0xffff

/** What a pool works by. */
export interface PoolPlan {
  readonly interfaceName: string
  readonly module: string
  readonly backend: BackendPlan
  /** CPUs to run on, in turn; none: wherever the scheduler likes. */
  readonly cpus: readonly number[]
  readonly restart: boolean
  readonly stopTimeoutMs: number
  readonly workerData: unknown
  readonly signal: AbortSignal | undefined
}

/**
 * Checks everything that can be checked before a thread is started.
 * @throws TypeError, RangeError, NetringError naming what is wrong
 */
export function checkPool(interfaceName: unknown, module: unknown, options: FanoutPoolOptions | undefined): PoolPlan {
  const name = checkString('interfaceName', interfaceName)
  const url = checkModule(module)
  const given = checkObject('options', options, keys)
  const stopTimeoutMs = checkMilliseconds('options.stopTimeoutMs', given.stopTimeoutMs, 5000)
  const workers =
    given.workers === undefined ? undefined : checkInteger('options.workers', given.workers, 0, 1, MOST_WORKERS)
  const common = {
    interfaceName: name,
    module: url,
    restart: checkBoolean('options.restart', given.restart, false),
    stopTimeoutMs,
    workerData: given.workerData,
    signal: checkSignal('options.signal', given.signal),
    cpus: checkCpus(given.pinToCpus),
  }
  const backend = checkOneOf('options.backend', given.backend, ['packet', 'xdp'], 'packet')
  return { ...common, backend: backend === 'packet' ? packetBackend(name, workers, given) : xdpBackend(workers, given) }
}

function packetBackend(name: string, workers: number | undefined, given: Partial<FanoutPoolOptions>): BackendPlan {
  if (given.xdp !== undefined) throw refusal(`options.xdp does not go with options.backend 'packet'`)
  const { native: capture, pollTimeoutMs } = checkCaptureOptions(given.capture, 'options.capture')
  const options = { ...capture, fanout: checkGroup(given), paused: true }
  const { netns } = capture
  const suggested = (): number => suggestFanoutThreads(name, netns === undefined ? {} : { netns })
  return { backend: 'packet', options, pollTimeoutMs, workers: workers ?? suggested() }
}

function xdpBackend(workers: number | undefined, given: Partial<FanoutPoolOptions>): BackendPlan {
  for (const key of ['capture', ...groupKeys] as const) {
    if (given[key] !== undefined) {
      throw refusal(
        `options.${key} does not go with options.backend 'xdp', where the queue decides which worker gets a packet`,
      )
    }
  }
  const { native: options, pollTimeoutMs } = checkXdpOptions({ queues: 'all', ...given.xdp }, 'options.xdp')
  if (options.mode === 'tx') {
    throw refusal(`options.xdp.mode 'tx' does not go with a pool, whose workers receive; open sockets of your own`)
  }
  return { backend: 'xdp', options, pollTimeoutMs, workers }
}

/**
 * As `new Worker()` takes it: a URL, an absolute path, or one that begins with ./ or ../ and counts from the working
 * directory. Also the text of a URL.
 */
function checkModule(module: unknown): string {
  // Of another class in a vm context.
  const { href } = (module ?? {}) as Partial<URL>
  if (typeof href === 'string' && typeof module === 'object') return checkString('module.href', href)
  if (typeof module !== 'string') throw wrongType('module', 'a URL or a string', module)
  checkString('module', module)
  if (isAbsolute(module) || /^\.\.?\//.test(module)) return pathToFileURL(resolve(module)).href
  if (/^(file|data|node):/.test(module)) return module
  throw wrongValue(
    'module',
    `must be a URL, an absolute path or one that begins with ./ or ../; for a file beside yours: new URL('../options/worker.js', import.meta.url)`,
    module,
  )
}

/** The group, from the options themselves and from `capture.fanout`. */
function checkGroup(given: Partial<FanoutPoolOptions>): NativeFanout {
  const inner = given.capture?.fanout
  if (inner !== undefined && inner.group !== 'unique') {
    throw refusal(
      `options.capture.fanout.group must be 'unique', because a pool has a group of its own. Received ${String(inner.group)}`,
    )
  }
  for (const key of groupKeys) {
    if (given[key] !== undefined && inner?.[key] !== undefined && given[key] !== inner[key]) {
      throw refusal(`options.${key} and options.capture.fanout.${key} contradict each other: give one of them`)
    }
  }
  const own: Partial<Record<(typeof groupKeys)[number], unknown>> = {}
  for (const key of groupKeys) if (given[key] !== undefined) own[key] = given[key]
  const group = checkFanout({ mode: 'hash', ...inner, ...own, group: 'unique' } as FanoutOptions, 'options')
  // Without one the kernel gives everything to the first (`fanout_demux_bpf`, net/packet/af_packet.c).
  if ((group.mode === 'cbpf' || group.mode === 'ebpf') && group.program === undefined) {
    throw refusal(`options.mode '${group.mode}' needs options.program, which says which worker gets a packet`)
  }
  return group
}

/** The CPUs, in the order of the workers. */
function checkCpus(value: FanoutPoolOptions['pinToCpus']): readonly number[] {
  if (value === undefined || value === false) return []
  const allowed = native(() => addon().nativeAllowedCpus())
  if (value === true) return allowed
  const name = 'options.pinToCpus'
  if (!Array.isArray(value)) throw wrongType(name, 'a boolean or an array of CPU numbers', value)
  if (value.length === 0) throw wrongValue(name, 'must name at least one CPU', value)
  return Array.from(value as readonly unknown[], (cpu, index) => {
    const at = `${name}[${String(index)}]`
    if (cpu === undefined) throw wrongType(at, 'a number', cpu)
    const checked = checkInteger(at, cpu, 0, 0, MOST_CPUS)
    if (!allowed.includes(checked)) {
      throw refusal(`${at} is CPU ${String(checked)}, which this process may not use; it may use ${allowed.join(', ')}`)
    }
    return checked
  })
}

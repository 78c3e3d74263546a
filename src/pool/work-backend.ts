/** What divides an interface's packets among a pool's workers: a fanout group, or an XDP program with its map. */
import { addon, type NativeCaptureOptions, type NativeXdpOptions } from '../addon/binding.js'
import { refusal } from '../check/arguments.js'
import { native } from '../errors/native.js'
import type { SourceConfig } from './messages.js'

/** A pool's sources, as they were asked for. */
export type BackendPlan =
  | {
      readonly backend: 'packet'
      readonly options: NativeCaptureOptions
      readonly pollTimeoutMs: number
      readonly workers: number
    }
  | {
      readonly backend: 'xdp'
      readonly options: NativeXdpOptions
      readonly pollTimeoutMs: number
      /** Undefined: one a queue. */
      readonly workers: number | undefined
    }

export interface WorkBackend {
  readonly workers: number
  sourceOf(index: number): SourceConfig
  /** Starts all workers' sources at once, as far as one thread can do that: `barriers` are the numbers that they named. */
  startAll(barriers: readonly number[]): void
  /** Lets no packet in any more, to any worker. */
  stopAll(barriers: readonly number[]): void
  /** Once no worker is left. Idempotent. */
  close(): void
}

/** @throws NetringError as XdpSocket.open() about the program */
export function openBackend(interfaceName: string, plan: BackendPlan): WorkBackend {
  return plan.backend === 'packet' ? packetBackend(plan) : xdpBackend(interfaceName, plan)
}

/** Workers make the group by joining it; the pool holds no part of it. */
function packetBackend({ options, pollTimeoutMs, workers }: BackendPlan & { backend: 'packet' }): WorkBackend {
  return {
    workers,
    sourceOf: () => ({ backend: 'packet', options, pollTimeoutMs }),
    startAll: (barriers) => {
      native(() => {
        addon().nativeStartAll([...barriers])
      })
    },
    stopAll: (barriers) => {
      native(() => {
        addon().nativeStopAll([...barriers])
      })
    },
    close: () => undefined,
  }
}

/**
 * One program with one map serves every worker, so the pool holds it; descriptors are the whole process's. As long as a
 * queue has no socket in the map its packets pass to the network stack, also while a worker is being replaced.
 */
function xdpBackend(name: string, plan: BackendPlan & { backend: 'xdp' }): WorkBackend {
  const { pollTimeoutMs } = plan
  // The filter is in the program, which the workers' sockets have in common.
  const { filter, ...options } = plan.options
  const program = native(() => addon().NativeSharedProgram.prepare(name, { ...options, ...(filter && { filter }) }))
  const queues = program.queues()
  const workers = plan.workers ?? queues.length
  const close = (): void => {
    program.close()
  }
  if (workers > queues.length) {
    close()
    throw refusal(
      `options.workers is ${String(workers)}, more than there are queues (${queues.join(', ')}): each worker needs one of its own`,
    )
  }
  return {
    workers,
    sourceOf: (index) => ({
      backend: 'xdp',
      pollTimeoutMs,
      options: {
        ...options,
        queues: queues.filter((_queue, at) => at % workers === index),
        replace: false,
        program: { xskMapFd: program.mapFd() },
        paused: true,
      },
    }),
    // Once all sockets are bound, so that a start that fails leaves a program that is to be replaced in its place. Then each
    // worker enters the map itself: no other one would get its packets before.
    startAll: () => {
      native(() => {
        program.attach()
      })
    },
    // Queue by queue, and without the program: workers that are about to end would take theirs for lost.
    stopAll: () => {
      native(() => {
        program.shut()
      })
    },
    close,
  }
}

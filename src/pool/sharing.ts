/** What divides an interface's packets among the workers of a pool: a fanout group, or an XDP program with its map. */
import { addon, type NativeCaptureOptions, type NativeXdpOptions } from '../binding.js'
import { native } from '../errors.js'
import { refusal } from '../options/check.js'
import type { SourcePlan } from './messages.js'

/** A pool's sources, as they were asked for. */
export type SharingPlan =
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

export interface Sharing {
  readonly workers: number
  sourceOf(index: number): SourcePlan
  /** Lets packets in to all workers at once, as far as that is for one thread to do: by the barriers that they named. */
  open(barriers: readonly number[]): void
  /** Lets none in any more, to any of them. */
  shut(barriers: readonly number[]): void
  /** Once no worker is left. Idempotent. */
  close(): void
}

/** @throws NetringError as XdpSocket.open() about the program */
export function share(interfaceName: string, plan: SharingPlan): Sharing {
  return plan.backend === 'packet' ? shareGroup(plan) : shareProgram(interfaceName, plan)
}

/** The group is made by the workers, who join it; nobody else need hold it. */
function shareGroup({ options, pollTimeoutMs, workers }: SharingPlan & { backend: 'packet' }): Sharing {
  return {
    workers,
    sourceOf: () => ({ backend: 'packet', options, pollTimeoutMs }),
    open: (barriers) => {
      native(() => {
        addon().nativeStartAll([...barriers])
      })
    },
    shut: (barriers) => {
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
function shareProgram(name: string, plan: SharingPlan & { backend: 'xdp' }): Sharing {
  const { options, pollTimeoutMs } = plan
  const program = native(() => addon().NativeSharedProgram.prepare(name, options))
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
    open: () => {
      native(() => {
        program.attach()
      })
    },
    // Queue by queue, and without the program: workers that are about to end would take theirs for lost.
    shut: () => {
      native(() => {
        program.shut()
      })
    },
    close,
  }
}

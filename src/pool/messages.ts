/** What a pool and its workers say to each other, over a port of their own: `parentPort` is the module's. */
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import type { NativeCaptureOptions, NativeXdpOptions } from '../addon/binding.js'
import type { CaptureStats } from '../source/counters.js'
import type { PackedError } from './failures.js'

/** How a worker opens its source. */
export type SourceConfig =
  | { readonly backend: 'packet'; readonly options: NativeCaptureOptions; readonly pollTimeoutMs: number }
  | { readonly backend: 'xdp'; readonly options: NativeXdpOptions; readonly pollTimeoutMs: number }

/** What a worker starts with: its `workerData`. */
export interface WorkerPlan {
  readonly port: MessagePort
  readonly module: string
  readonly interfaceName: string
  readonly index: number
  readonly workers: number
  readonly source: SourceConfig
  /** The CPU to run on, if it is pinned. */
  readonly cpu: number | undefined
  readonly workerData: unknown
}

export type ToWorker =
  /** Join the group of this id, or a new one. Answered by `joined`. */
  | { readonly type: 'join'; readonly group: number | undefined }
  /** Let packets in and call the module. Answered by `started`. */
  | { readonly type: 'go' }
  /** Answered by `counts`. */
  | { readonly type: 'count' }
  /** End, within this time at most. Answered by `done` or `failed`. */
  | { readonly type: 'stop'; readonly timeoutMs: number }

export type FromWorker =
  /** The module is loaded and the ring is there; nothing passes yet. */
  | { readonly type: 'ready' }
  /** `barrier` is what the addon knows its barrier by. */
  | { readonly type: 'joined'; readonly group: number | undefined; readonly barrier: number | undefined }
  | { readonly type: 'started' }
  | { readonly type: 'message'; readonly message: unknown }
  /** Since its source was opened; also, unasked, when the thread ends. */
  | { readonly type: 'counts'; readonly counts: CaptureStats }
  /** Its source is closed: it is no member of the group any more. */
  | { readonly type: 'left' }
  /** The module's function has returned. */
  | { readonly type: 'done'; readonly counts: CaptureStats }
  /** Something was thrown. */
  | { readonly type: 'failed'; readonly error: PackedError; readonly counts: CaptureStats }

/** Receives on this turn what has come: where the event loop does not get to it. */
export function receiveNow(port: MessagePort, receive: (message: unknown) => void): void {
  for (;;) {
    const next = receiveMessageOnPort(port) as { readonly message: unknown } | undefined
    if (next === undefined) return
    receive(next.message)
  }
}

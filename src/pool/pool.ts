/** Worker threads that share an interface's packets. */
import type { Worker } from 'node:worker_threads'
import { addon } from '../addon/binding.js'
import { workerRefusal } from '../addon/host.js'
import { waitSignal, type WaitOptions } from '../check/wait.js'
import { NetringError } from '../errors/netring-error.js'
import { Emitter } from '../events/emitter.js'
import { noStats, type CaptureStats } from '../source/counters.js'
import { Backoff } from './backoff.js'
import { checkPool, type FanoutPoolOptions, type PoolPlan } from './options.js'
import { PoolWorker, type Ending } from './pool-worker.js'
import { add, subtract, total, type FanoutPoolStats } from './stats.js'
import { openBackend, type WorkBackend } from './work-backend.js'

/** Events of a {@link FanoutPool}. */
export type FanoutPoolEvent = 'message' | 'restart' | 'error' | 'close'
const events: readonly string[] = ['message', 'restart', 'error', 'close']

/** A call that waits for the end. */
interface Waiter {
  readonly resolve: () => void
  readonly reject: (reason: Error) => void
}

/** A worker's slot in the pool: the worker that has it now, and what the workers before it have counted. */
interface WorkerSlot {
  worker: PoolWorker
  before: CaptureStats
  reported: CaptureStats
  readonly backoff: Backoff
  restart: NodeJS.Timeout | undefined
}

/**
 * Threads that each run a module of yours on a share of an interface's packets. One call makes the workers, a fanout
 * group of their own, and a capture for each; packets come when all of them have joined. docs/threads.md
 * tells how it works.
 *
 * @example
 * ```ts
 * import { FanoutPool } from 'netring'
 *
 * await using pool = await FanoutPool.start('eth0', new URL('./worker.js', import.meta.url), { restart: true })
 * pool.on('message', (message, worker) => console.log(worker, message))
 * pool.on('restart', (worker, cause) => console.warn(worker, cause))
 * await pool.finished()
 * ```
 *
 * @example
 * ```ts
 * import type { FanoutContext, PacketSource } from 'netring'
 *
 * export default async function (source: PacketSource, context: FanoutContext): Promise<void> {
 *   let bytes = 0
 *   for await (const batch of source) {
 *     for (const packet of batch) bytes += packet.originalLength
 *     context.post(bytes)
 *   }
 * }
 * ```
 */
export class FanoutPool extends Emitter implements AsyncDisposable {
  readonly #plan: PoolPlan
  readonly #backend: WorkBackend
  /** Events that wait until the caller of start() could add listeners. */
  #early: (readonly [event: FanoutPoolEvent, ...args: unknown[]])[] | undefined = []
  #slots: WorkerSlot[] = []
  #group: number | undefined
  /** One worker joins at a time. */
  #joining: Promise<unknown> = Promise.resolve()
  #stopping: Promise<void> | undefined
  readonly #waiters = new Set<Waiter>()
  #closed = false
  #failure: Error | undefined
  /** Failures that are not reported to listeners yet, and when all are. */
  #unreported = 0
  #reported: Promise<void> = Promise.resolve()
  /** finished() was called: it reports failures. */
  #awaited = false
  #referenced = true
  readonly #onAbort = (): void => {
    void this.stop()
  }

  private constructor(plan: PoolPlan) {
    super(events)
    this.#plan = plan
    this.#backend = openBackend(plan.interfaceName, plan.backend)
  }

  /**
   * Starts the workers, and resolves when every one's ring is there, the group is whole and each module's function has been
   * called. No packet enters any ring before the last one has joined. Each worker's number in the group is its index.
   *
   * `module` is a URL, an absolute path, or one that begins with ./ or ../ and counts from the working directory; its default
   * export is called as `(source, context)` in each worker.
   *
   * Rejects, with all workers gone, with what a worker threw: the module's error at import (ERR_MODULE_NOT_FOUND among
   * them), or NetringError as {@link Capture.open} throws it; with `signal.reason`; with TypeError, RangeError or NetringError
   * ERR_NETRING_CONFIG naming a wrong argument, before a thread is started.
   */
  static async start(interfaceName: string, module: URL | string, options?: FanoutPoolOptions): Promise<FanoutPool> {
    const plan = checkPool(interfaceName, module, options)
    plan.signal?.throwIfAborted()
    // Otherwise each worker would fail with the same error, after a thread was started for it.
    addon()
    const reason = workerRefusal(process.versions)
    if (reason !== undefined) throw new NetringError('ERR_NETRING_UNSUPPORTED', reason)
    const pool = new FanoutPool(plan)
    await pool.#start()
    return pool
  }

  async #start(): Promise<void> {
    const { signal } = this.#plan
    const { workers } = this.#backend
    const abort = (): void => {
      for (const { worker } of this.#slots) worker.stop(this.#plan.stopTimeoutMs)
    }
    signal?.addEventListener('abort', abort, { once: true })
    try {
      for (let index = 0; index < workers; index++) {
        const backoff = new Backoff()
        this.#slots.push({
          worker: this.#make(index),
          before: noStats,
          reported: noStats,
          backoff,
          restart: undefined,
        })
      }
      const started = this.#slots.map(({ worker }) => worker)
      await Promise.all(started.map((worker) => worker.ready()))
      for (const worker of started) await this.#join(worker)
      // Here and not in each worker: workers would do it milliseconds apart.
      this.#backend.startAll(this.#barriers())
      await Promise.all(started.map((worker) => worker.go()))
      signal?.throwIfAborted()
      for (const worker of started) this.#follow(worker)
    } catch (error) {
      abort()
      await Promise.all(this.#slots.map(({ worker }) => worker.ended))
      this.#backend.close()
      signal?.throwIfAborted()
      throw error
    } finally {
      signal?.removeEventListener('abort', abort)
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    setImmediate(() => {
      this.#flush()
    })
  }

  #make(index: number): PoolWorker {
    const { interfaceName, module, cpus, workerData } = this.#plan
    const { workers } = this.#backend
    const source = this.#backend.sourceOf(index)
    const cpu = cpus[index % cpus.length]
    const plan = { interfaceName, module, index, workers, source, cpu, workerData }
    const worker = new PoolWorker(plan, (message) => {
      this.#report('message', message, index)
    })
    worker.referenced = this.#referenced
    return worker
  }

  /** Joins a new group while no worker is in one: by its id a worker might join another program's group. */
  #join(worker: PoolWorker): Promise<void> {
    const join = async (): Promise<void> => {
      const alive = this.#slots.some((slot) => slot.worker !== worker && slot.worker.joined)
      this.#group = await worker.join(alive ? this.#group : undefined)
    }
    const joined = this.#joining.then(join)
    this.#joining = joined.catch(() => undefined)
    return joined
  }

  /** Waits for the end of a worker that runs. */
  #follow(worker: PoolWorker): void {
    void worker.ended.then((ending) => {
      this.#left(worker, ending)
    })
  }

  #left({ index, startedAt }: PoolWorker, { error, counts }: Ending): void {
    const slot = this.#slots[index]
    if (slot === undefined) return
    slot.before = add(slot.before, counts)
    if (error !== undefined) {
      const { restart } = this.#plan
      const pause =
        restart && this.#stopping === undefined ? slot.backoff.next(startedAt, performance.now()) : undefined
      if (pause !== undefined) {
        slot.restart = setTimeout(() => {
          void this.#restart(slot, error)
        }, pause)
        if (!this.#referenced) slot.restart.unref()
        return
      }
      this.#fail(error, index)
    }
    this.#closeIfOver()
  }

  async #restart(slot: WorkerSlot, cause: Error): Promise<void> {
    const { index } = slot.worker
    slot.restart = undefined
    let worker
    try {
      worker = this.#make(index)
    } catch (error) {
      this.#fail(error as Error, index)
      this.#closeIfOver()
      return
    }
    slot.worker = worker
    this.#follow(worker)
    try {
      await worker.ready()
      await this.#join(worker)
      await worker.go()
      this.#report('restart', index, cause)
    } catch {
      // It has ended, which #left handles.
      worker.terminate()
    }
  }

  #fail(error: Error, worker: number): void {
    this.#failure ??= error
    if (this.#early !== undefined) {
      this.#early.push(['error', error, worker])
      return
    }
    // True also for the second worker that fails, when no call waits any more, and for one that fails during stop().
    const heard = this.#awaited || this.#stopping !== undefined
    const waiting = [...this.#waiters]
    this.#waiters.clear()
    // In a turn of its own, so that the caller of start() or stop() has gone on. Listeners come before waits, whose callers may
    // end the process.
    this.#unreported++
    this.#reported = new Promise((resolve) => {
      process.nextTick(() => {
        if (!heard || this.hasListener('error')) this.emitApart('error', error, worker)
        for (const { reject } of waiting) reject(error)
        this.#unreported--
        this.#closeIfOver()
        resolve()
      })
    })
  }

  /** Closes the pool once no worker is left and every failure is reported. */
  #closeIfOver(): void {
    if (this.#closed || this.#slots.some(({ restart, worker }) => restart !== undefined || !worker.over)) return
    this.#flush()
    if (this.#unreported > 0) return
    this.#closed = true
    this.#backend.close()
    this.#plan.signal?.removeEventListener('abort', this.#onAbort)
    for (const { resolve } of this.#waiters) resolve()
    this.#waiters.clear()
    this.#report('close')
  }

  /** Emits. A listener that throws neither keeps a worker from ending or being replaced, nor an event from other listeners. */
  #report(event: FanoutPoolEvent, ...args: unknown[]): void {
    if (this.#early !== undefined) this.#early.push([event, ...args])
    else this.emitApart(event, ...args)
  }

  #flush(): void {
    const early = this.#early ?? []
    this.#early = undefined
    for (const [event, ...args] of early) {
      if (event === 'error') this.#fail(args[0] as Error, args[1] as number)
      else this.#report(event, ...args)
    }
  }

  /** The present worker of each index. One that has ended stays until another replaces it. */
  get workers(): readonly Worker[] {
    return this.#slots.map(({ worker }) => worker.thread)
  }

  /** The id of the fanout group. Another one if all workers had to be replaced at once. */
  get fanoutId(): number | undefined {
    return this.#group
  }

  /** Whether all workers have ended, for good. */
  get closed(): boolean {
    return this.#closed
  }

  /**
   * What the captures of all workers have counted since the last call of this, those of workers that have ended included,
   * together and for each index. Waits until every worker has come back to its event loop, or to a blocking call of its source.
   */
  async stats(): Promise<FanoutPoolStats> {
    const now = await this.#counts()
    const since = this.#slots.map((slot, index) => {
      const counts = now[index] ?? noStats
      const before = slot.reported
      slot.reported = counts
      return subtract(counts, before)
    })
    return total(since)
  }

  /** The same since the start. Neither disturbs the other, nor what a module asks of its source. */
  async cumulativeStats(): Promise<FanoutPoolStats> {
    return total(await this.#counts())
  }

  #counts(): Promise<CaptureStats[]> {
    return Promise.all(
      this.#slots.map(async (slot) => {
        const { worker } = slot
        const counts = await worker.counts()
        if (!worker.over) return add(slot.before, counts)
        // Once #left has handled its end, its counts are among those before.
        await worker.ended
        return slot.before
      }),
    )
  }

  /**
   * 'message': a worker's `context.post()`, with its index. 'restart': another worker runs in the place of one that failed, and
   * why that one did. 'error': a worker has failed and is not replaced, with its index; without a listener, and where
   * neither finished() nor stop() was called, it is thrown, as by any EventEmitter. 'close': no worker is left.
   *
   * Events wait for one turn of the event loop after start() has resolved.
   *
   * @throws TypeError for another event
   */
  on(event: 'message', listener: (message: unknown, worker: number) => void): this
  on(event: 'restart', listener: (worker: number, cause: Error) => void): this
  on(event: 'error', listener: (error: Error, worker: number) => void): this
  on(event: 'close', listener: () => void): this
  on(event: FanoutPoolEvent, listener: (...args: never[]) => void): this {
    this.listen(event, listener)
    return this
  }

  /** As on(), for the next one only. */
  once(event: 'message', listener: (message: unknown, worker: number) => void): this
  once(event: 'restart', listener: (worker: number, cause: Error) => void): this
  once(event: 'error', listener: (error: Error, worker: number) => void): this
  once(event: 'close', listener: () => void): this
  once(event: FanoutPoolEvent, listener: (...args: never[]) => void): this {
    this.listenOnce(event, listener)
    return this
  }

  /**
   * Resolves when no worker is left: the pool was stopped, or every module's function has returned. Rejects as soon as a
   * worker has failed and is not replaced, with its error (the others go on), or with `options.signal.reason`.
   */
  async finished(options?: WaitOptions): Promise<void> {
    const signal = waitSignal(options)
    signal?.throwIfAborted()
    this.#awaited = true
    if (this.#failure !== undefined) throw this.#failure
    if (this.#closed) return
    await this.#wait(signal)
  }

  #wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiters.delete(waiter)
        reject(signal?.reason as Error)
      }
      const leave = (): void => signal?.removeEventListener('abort', abort)
      const waiter = {
        resolve: () => {
          leave()
          resolve()
        },
        reject: (reason: Error) => {
          leave()
          reject(reason)
        },
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiters.add(waiter)
    })
  }

  /**
   * Ends every worker and resolves when all are gone: lets no packet in any more, aborts each `context.signal`, closes sources (see
   * {@link FanoutContext.signal}), and after `stopTimeoutMs` terminates workers that still run. Idempotent. What workers post until they
   * end arrives before it resolves.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  #barriers(): number[] {
    return this.#slots.flatMap(({ worker }) => worker.barrier ?? [])
  }

  async #stop(): Promise<void> {
    // All together: otherwise the last workers would get the packets of the first.
    try {
      this.#backend.stopAll(this.#barriers())
    } catch {
      // The workers end one after the other, too.
    }
    for (const slot of this.#slots) {
      clearTimeout(slot.restart)
      slot.restart = undefined
      slot.worker.stop(this.#plan.stopTimeoutMs)
    }
    await Promise.all(this.#slots.map(({ worker }) => worker.ended))
    await this.#reported
    // All may have ended before, while one of them waited for its restart.
    this.#closeIfOver()
  }

  /** stop(), for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Keeps the process alive while a worker runs: the default. */
  ref(): this {
    return this.#refer(true)
  }

  /** Lets the process end although workers run. */
  unref(): this {
    return this.#refer(false)
  }

  #refer(referenced: boolean): this {
    this.#referenced = referenced
    for (const { worker, restart } of this.#slots) {
      if (!worker.over) worker.referenced = referenced
      if (referenced) restart?.ref()
      else restart?.unref()
    }
    return this
  }
}

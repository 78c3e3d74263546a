/** Worker threads that share an interface's packets. */
import type { Worker } from 'node:worker_threads'
import { workerRefusal } from '../addon/host.js'
import { addon } from '../binding.js'
import { Emitter } from '../emitter.js'
import { NetringError } from '../errors.js'
import { checkPool, type FanoutPoolOptions, type PoolPlan } from '../options/pool.js'
import { waitSignal } from '../options/wait.js'
import type { CaptureStats, WaitOptions } from '../source/packet-source.js'
import { Backoff } from './backoff.js'
import { merged, minus, nothing, plus, type FanoutPoolStats } from './counts.js'
import { Member, type Ending } from './member.js'
import { share, type Sharing } from './sharing.js'

/** Events of a {@link FanoutPool}. */
export type FanoutPoolEvent = 'message' | 'restart' | 'error' | 'close'
const events: readonly string[] = ['message', 'restart', 'error', 'close']

/** Somebody who waits for the end. */
interface Waiter {
  readonly resolve: () => void
  readonly reject: (reason: Error) => void
}

/** A worker's place in the pool: whoever has it now, and what those before have counted. */
interface Place {
  member: Member
  before: CaptureStats
  reported: CaptureStats
  readonly backoff: Backoff
  restart: NodeJS.Timeout | undefined
}

/**
 * Threads that each run a module of yours on a share of an interface's packets. One call makes the workers, a fanout
 * group that nobody else is in, and a capture for each; packets come when all of them have joined. docs/threads.md
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
  readonly #sharing: Sharing
  /** Events that wait until who has started the pool could add listeners. */
  #early: (readonly [event: FanoutPoolEvent, ...args: unknown[]])[] | undefined = []
  #places: Place[] = []
  #group: number | undefined
  /** One worker joins at a time. */
  #joining: Promise<unknown> = Promise.resolve()
  #stopping: Promise<void> | undefined
  readonly #waiters = new Set<Waiter>()
  #closed = false
  #failure: Error | undefined
  /** Failures of which listeners are about to hear, and when they have. */
  #untold = 0
  #told: Promise<void> = Promise.resolve()
  /** Somebody has called finished(): failures have a way out. */
  #awaited = false
  #referenced = true
  readonly #onAbort = (): void => {
    void this.stop()
  }

  private constructor(plan: PoolPlan) {
    super(events)
    this.#plan = plan
    this.#sharing = share(plan.interfaceName, plan.sharing)
  }

  /**
   * Starts the workers, and resolves when every one's ring is there, the group is whole and each module's function has been
   * called. Before the last has joined nothing is let into any ring. Each worker's number in the group is its index.
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
    // Each worker would come to it by itself, after a thread was started for it.
    addon()
    const reason = workerRefusal(process.versions)
    if (reason !== undefined) throw new NetringError('ERR_NETRING_UNSUPPORTED', reason)
    const pool = new FanoutPool(plan)
    await pool.#start()
    return pool
  }

  async #start(): Promise<void> {
    const { signal } = this.#plan
    const { workers } = this.#sharing
    const abort = (): void => {
      for (const { member } of this.#places) member.stop(this.#plan.stopTimeoutMs)
    }
    signal?.addEventListener('abort', abort, { once: true })
    try {
      for (let index = 0; index < workers; index++) {
        const backoff = new Backoff()
        this.#places.push({
          member: this.#make(index),
          before: nothing,
          reported: nothing,
          backoff,
          restart: undefined,
        })
      }
      const members = this.#places.map(({ member }) => member)
      await Promise.all(members.map((member) => member.ready()))
      for (const member of members) await this.#join(member)
      // Here and not in each worker: they would come to it milliseconds apart.
      this.#sharing.open(this.#barriers())
      await Promise.all(members.map((member) => member.go()))
      signal?.throwIfAborted()
      for (const member of members) this.#follow(member)
    } catch (error) {
      abort()
      await Promise.all(this.#places.map(({ member }) => member.ended))
      this.#sharing.close()
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

  #make(index: number): Member {
    const { interfaceName, module, cpus, workerData } = this.#plan
    const { workers } = this.#sharing
    const source = this.#sharing.sourceOf(index)
    const cpu = cpus[index % cpus.length]
    const plan = { interfaceName, module, index, workers, source, cpu, workerData }
    const member = new Member(plan, (message) => {
      this.#tell('message', message, index)
    })
    member.referenced = this.#referenced
    return member
  }

  /** The group is a new one as long as nobody is in it: by its id one might join somebody else's. */
  #join(member: Member): Promise<void> {
    const join = async (): Promise<void> => {
      const alive = this.#places.some((place) => place.member !== member && place.member.joined)
      this.#group = await member.join(alive ? this.#group : undefined)
    }
    const joined = this.#joining.then(join)
    this.#joining = joined.catch(() => undefined)
    return joined
  }

  /** What becomes of a worker that runs. */
  #follow(member: Member): void {
    void member.ended.then((ending) => {
      this.#left(member, ending)
    })
  }

  #left({ index, startedAt }: Member, { error, counts }: Ending): void {
    const place = this.#places[index]
    if (place === undefined) return
    place.before = plus(place.before, counts)
    if (error !== undefined) {
      const { restart } = this.#plan
      const pause =
        restart && this.#stopping === undefined ? place.backoff.next(startedAt, performance.now()) : undefined
      if (pause !== undefined) {
        place.restart = setTimeout(() => {
          void this.#restart(place, error)
        }, pause)
        if (!this.#referenced) place.restart.unref()
        return
      }
      this.#fail(error, index)
    }
    this.#closeIfOver()
  }

  async #restart(place: Place, cause: Error): Promise<void> {
    const { index } = place.member
    place.restart = undefined
    let member
    try {
      member = this.#make(index)
    } catch (error) {
      this.#fail(error as Error, index)
      this.#closeIfOver()
      return
    }
    place.member = member
    this.#follow(member)
    try {
      await member.ready()
      await this.#join(member)
      await member.go()
      this.#tell('restart', index, cause)
    } catch {
      // It has ended, of which #left hears.
      member.terminate()
    }
  }

  #fail(error: Error, worker: number): void {
    this.#failure ??= error
    if (this.#early !== undefined) {
      this.#early.push(['error', error, worker])
      return
    }
    // Also of the second worker that fails, when nobody waits any more, and of one that fails while it is stopped.
    const heard = this.#awaited || this.#stopping !== undefined
    const waiting = [...this.#waiters]
    this.#waiters.clear()
    // In a turn of its own, so that who calls start() or stop() has gone on. Who listens hears of it before who waits, who may
    // go on to end the process.
    this.#untold++
    this.#told = new Promise((resolve) => {
      process.nextTick(() => {
        if (!heard || this.hears('error')) this.emitApart('error', error, worker)
        for (const { reject } of waiting) reject(error)
        this.#untold--
        this.#closeIfOver()
        resolve()
      })
    })
  }

  /** Once no worker is left, and everybody has heard why. */
  #closeIfOver(): void {
    if (this.#closed || this.#places.some(({ restart, member }) => restart !== undefined || !member.over)) return
    this.#flush()
    if (this.#untold > 0) return
    this.#closed = true
    this.#sharing.close()
    this.#plan.signal?.removeEventListener('abort', this.#onAbort)
    for (const { resolve } of this.#waiters) resolve()
    this.#waiters.clear()
    this.#tell('close')
  }

  /** A listener that throws keeps no worker from ending or from being replaced, and no event from the others. */
  #tell(event: FanoutPoolEvent, ...args: unknown[]): void {
    if (this.#early !== undefined) this.#early.push([event, ...args])
    else this.emitApart(event, ...args)
  }

  #flush(): void {
    const early = this.#early ?? []
    this.#early = undefined
    for (const [event, ...args] of early) {
      if (event === 'error') this.#fail(args[0] as Error, args[1] as number)
      else this.#tell(event, ...args)
    }
  }

  /** Each place's worker of now, by index. One that has ended stays until another takes its place. */
  get workers(): readonly Worker[] {
    return this.#places.map(({ member }) => member.worker)
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
   * together and of each place. Waits until every worker has come back to its event loop, or to a blocking call of its source.
   */
  async stats(): Promise<FanoutPoolStats> {
    const now = await this.#counts()
    const since = this.#places.map((place, index) => {
      const counts = now[index] ?? nothing
      const before = place.reported
      place.reported = counts
      return minus(counts, before)
    })
    return merged(since)
  }

  /** The same since the start. Neither disturbs the other, nor what a module asks of its source. */
  async cumulativeStats(): Promise<FanoutPoolStats> {
    return merged(await this.#counts())
  }

  #counts(): Promise<CaptureStats[]> {
    return Promise.all(
      this.#places.map(async (place) => {
        const { member } = place
        const counts = await member.counts()
        if (!member.over) return plus(place.before, counts)
        // Once its end has been heard of, here too, they are among those before.
        await member.ended
        return place.before
      }),
    )
  }

  /**
   * 'message': a worker's `context.post()`, with its index. 'restart': another worker runs in the place of one that failed, and
   * why that one did. 'error': a worker has failed and is not replaced, with its index; without a listener, and where
   * nobody has called finished() or stop(), it is thrown, as by any EventEmitter. 'close': no worker is left.
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
   * {@link FanoutContext.signal}), and after `stopTimeoutMs` terminates whoever still runs. Idempotent. What workers post until they
   * end arrives before it resolves.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  #barriers(): number[] {
    return this.#places.flatMap(({ member }) => member.barrier ?? [])
  }

  async #stop(): Promise<void> {
    // All together: the shares of those who go first would come to the others.
    try {
      this.#sharing.shut(this.#barriers())
    } catch {
      // Then they end one after the other.
    }
    for (const place of this.#places) {
      clearTimeout(place.restart)
      place.restart = undefined
      place.member.stop(this.#plan.stopTimeoutMs)
    }
    await Promise.all(this.#places.map(({ member }) => member.ended))
    await this.#told
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
    for (const { member, restart } of this.#places) {
      if (!member.over) member.referenced = referenced
      if (referenced) restart?.ref()
      else restart?.unref()
    }
    return this
  }
}

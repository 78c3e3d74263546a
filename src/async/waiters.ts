/** Promises that wait for a ring: many waiters share one native wait. */
import { fromNative } from '../errors/native.js'
import { LONGEST_TIMER } from './event-loop.js'
import { rejected } from './sequence.js'

interface Waiter {
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
  readonly leave: () => void
}

/** The native side of waiting. */
export interface Waitable {
  /** True where there is nothing to wait for; otherwise the native side leads to a call of wake(). */
  arm(): boolean
  disarm(): void
  keepAlive(keep: boolean): void
}

/** Keeps those alive that wait: the addon refers to them weakly. */
const active = new Set<Waiters>()

export class Waiters {
  readonly #waitable: Waitable
  readonly #waiting = new Set<Waiter>()
  #referenced = true

  constructor(waitable: Waitable) {
    this.#waitable = waitable
  }

  /**
   * Resolves once there is nothing to wait for any more, or after `timeoutMs`, or when `waiting` calls the function that
   * it is given. Returns undefined where there is nothing to wait for now.
   */
  wait(
    signal: AbortSignal | undefined,
    timeoutMs: number = Infinity,
    waiting?: (end: () => void) => void,
  ): Promise<void> | undefined {
    if (signal?.aborted) return rejected(signal.reason)
    try {
      if (this.#waitable.arm()) {
        this.#settleAll(undefined)
        return undefined
      }
    } catch (error) {
      // The source reports an error once, so it ends every wait.
      const failure = fromNative(error)
      this.#settleAll(failure)
      return rejected(failure)
    }
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#settle(waiter)
        reject(signal?.reason as Error)
      }
      const expire = (): void => {
        this.#settle(waiter)
        resolve()
      }
      const timer = timeoutMs === Infinity ? undefined : setTimeout(expire, Math.min(timeoutMs, LONGEST_TIMER))
      if (!this.#referenced) timer?.unref()
      signal?.addEventListener('abort', abort, { once: true })
      const leave = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
      }
      const waiter = { resolve, reject, leave }
      this.#waiting.add(waiter)
      active.add(this)
      waiting?.(expire)
      this.#waitable.keepAlive(this.#referenced)
    })
  }

  /** Something changed: asks the native side again, and settles every promise or goes on waiting. */
  wake(): void {
    if (this.#waiting.size === 0) return
    let failure: unknown
    try {
      if (!this.#waitable.arm()) return
    } catch (error) {
      failure = fromNative(error)
    }
    this.#settleAll(failure)
  }

  /** Rejects every promise that waits. */
  fail(reason: unknown): void {
    this.#settleAll(reason)
  }

  set referenced(referenced: boolean) {
    this.#referenced = referenced
    if (this.#waiting.size > 0) this.#waitable.keepAlive(referenced)
  }
  get referenced(): boolean {
    return this.#referenced
  }

  #settleAll(failure: unknown): void {
    for (const waiter of [...this.#waiting]) {
      this.#settle(waiter)
      if (failure === undefined) waiter.resolve()
      else waiter.reject(failure)
    }
  }

  #settle(waiter: Waiter): void {
    if (!this.#waiting.delete(waiter)) return
    waiter.leave()
    if (this.#waiting.size > 0) return
    active.delete(this)
    this.#waitable.keepAlive(false)
    this.#waitable.disarm()
  }
}

/** Forwarding on a native thread. */
import type { NativeBridge, NativeDirectionStats } from '../addon/binding.js'
import { rejected } from '../async/sequence.js'
import { weakCallback } from '../async/weak-callback.js'
import { fromNative } from '../errors/native.js'
import { Message } from '../events/messages.js'
import type { Engine, Reporter } from './engine.js'

/** Keeps engines alive that run: the addon's callbacks refer to them weakly. */
const running = new Set<ThreadedEngine>()

export class ThreadedEngine implements Engine {
  readonly #native: NativeBridge
  readonly #report: Reporter
  #settle: ((failure?: { readonly reason: unknown }) => void) | undefined

  constructor(native: NativeBridge, report: Reporter) {
    this.#native = native
    this.#report = report
  }

  run(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return rejected(signal.reason)
    try {
      this.#native.start(weakCallback<ThreadedEngine>(this, this.#receive))
    } catch (error) {
      return rejected(fromNative(error))
    }
    this.#native.keepAlive(true)
    running.add(this)
    return new Promise((resolve) => {
      // The thread ends first: nothing is forwarded any more when the promise rejects.
      const abort = (): void => {
        this.#native.stop()
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.#settle = (failure) => {
        this.#settle = undefined
        running.delete(this)
        signal?.removeEventListener('abort', abort)
        if (failure !== undefined) resolve(rejected(failure.reason))
        else if (signal?.aborted) resolve(rejected(signal.reason))
        else resolve()
      }
    })
  }

  #receive(message: number): void {
    if (this.#settle === undefined) return
    try {
      this.#report(this.#native.takeRejections())
    } finally {
      if (message === Message.ended) this.#join()
    }
  }

  #join(): void {
    // A listener may have closed it.
    if (this.#settle === undefined) return
    let failure: { readonly reason: unknown } | undefined
    try {
      this.#native.keepAlive(false)
      this.#native.join()
    } catch (error) {
      failure = { reason: fromNative(error) }
    }
    this.#settle(failure)
  }

  round(timeoutMs: number): boolean {
    try {
      return this.#native.round(timeoutMs)
    } catch (error) {
      throw fromNative(error)
    } finally {
      this.#report(this.#native.takeRejections())
    }
  }

  stats(): readonly NativeDirectionStats[] {
    return this.#native.stats()
  }

  halt(): void {
    this.#native.stop()
    try {
      this.#native.join()
    } catch {
      // Why the thread ended matters to run(), not to close().
    }
  }

  close(): void {
    const settle = this.#settle
    try {
      this.#native.close()
    } catch (error) {
      throw fromNative(error)
    } finally {
      settle?.()
    }
  }
}

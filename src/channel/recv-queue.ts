/** Calls that wait for packets: first come, first served. */
import { nextTurn } from '../async/event-loop.js'
import { rejected } from '../async/sequence.js'
import { Waiters, type Waitable } from '../async/waiters.js'
import type { OwnedPacket } from '../packet/packet.js'

interface Request {
  readonly most: number
  readonly resolve: (packets: OwnedPacket[]) => void
  readonly reject: (reason: Error) => void
}

export class RecvQueue {
  readonly #take: (most: number) => OwnedPacket[]
  readonly #waiters: Waiters
  readonly #waiting = new Set<Request>()
  #serving = false
  #endWait: (() => void) | undefined

  /** `take` returns what is queued, at most `most` packets. */
  constructor(waitable: Waitable, take: (most: number) => OwnedPacket[]) {
    this.#waiters = new Waiters(waitable)
    this.#take = take
  }

  /** No call waits. */
  get idle(): boolean {
    return this.#waiting.size === 0
  }

  /** Waits for at least one packet; resolves with what is queued then, at most `most` packets. */
  ask(most: number, signal: AbortSignal | undefined): Promise<OwnedPacket[]> {
    if (signal?.aborted) return rejected(signal.reason)
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(request)
        signal?.removeEventListener('abort', abort)
        if (this.#waiting.size === 0) this.#endWait?.()
      }
      const abort = (): void => {
        request.reject(signal?.reason as Error)
      }
      const request: Request = {
        most,
        resolve: (packets) => {
          leave()
          resolve(packets)
        },
        reject: (reason) => {
          leave()
          reject(reason)
        },
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiting.add(request)
      void this.#serve()
    })
  }

  /** Serves calls as long as one waits. */
  async #serve(): Promise<void> {
    if (this.#serving) return
    this.#serving = true
    // A caller in a loop must not starve timers, its own time-out among them.
    await nextTurn()
    while (this.#waiting.size > 0) {
      try {
        if (!this.#serveAll()) await this.#waiters.wait(undefined, Infinity, (end) => (this.#endWait = end))
      } catch (error) {
        this.#rejectAll(error)
      }
      this.#endWait = undefined
    }
    this.#serving = false
  }

  /** Serves calls in order; false where packets run out. */
  #serveAll(): boolean {
    for (const request of this.#waiting) {
      const packets = this.#take(request.most)
      if (packets.length === 0) return false
      request.resolve(packets)
    }
    return true
  }

  #rejectAll(reason: unknown): void {
    for (const request of [...this.#waiting]) request.reject(reason as Error)
  }

  /** Something changed: asks the native side again. */
  wake(): void {
    this.#waiters.wake()
  }

  /** Rejects every call that waits. */
  fail(reason: unknown): void {
    this.#rejectAll(reason)
  }

  /** Whether a wait keeps the process alive. */
  set referenced(referenced: boolean) {
    this.#waiters.referenced = referenced
  }
}

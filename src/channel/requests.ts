/** Who waits for packets: first come, first served. */
import { nextTurn, rejected } from '../source/turns.js'
import { Waiters, type Waitable } from '../source/waiters.js'
import type { OwnedPacket } from '../source/packet.js'

interface Request {
  readonly most: number
  readonly resolve: (packets: OwnedPacket[]) => void
  readonly reject: (reason: Error) => void
}

export class Requests {
  readonly #take: (most: number) => OwnedPacket[]
  readonly #waiters: Waiters
  readonly #waiting = new Set<Request>()
  #serving = false
  #endWait: (() => void) | undefined

  /** `take` gives what there is, at most so many packets. */
  constructor(waitable: Waitable, take: (most: number) => OwnedPacket[]) {
    this.#waiters = new Waiters(waitable)
    this.#take = take
  }

  /** Nobody waits. */
  get idle(): boolean {
    return this.#waiting.size === 0
  }

  /** Waits for at least one packet; resolves with what there is then, at most `most`. */
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

  /** Serves for as long as somebody waits. */
  async #serve(): Promise<void> {
    if (this.#serving) return
    this.#serving = true
    // Who asks in a loop must not starve timers, its own time-out among them.
    await nextTurn()
    while (this.#waiting.size > 0) {
      try {
        if (!this.#give()) await this.#waiters.wait(undefined, Infinity, (end) => (this.#endWait = end))
      } catch (error) {
        this.#rejectAll(error)
      }
      this.#endWait = undefined
    }
    this.#serving = false
  }

  /** False where there is too little for everybody. */
  #give(): boolean {
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

  /** Something changed: looks again. */
  wake(): void {
    this.#waiters.wake()
  }

  /** Rejects everybody. */
  fail(reason: unknown): void {
    this.#rejectAll(reason)
  }

  /** Whether a wait keeps the process alive. */
  set referenced(referenced: boolean) {
    this.#waiters.referenced = referenced
  }
}

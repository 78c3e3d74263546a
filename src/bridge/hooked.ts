/** Forwarding with a hook: JavaScript decides a batch at a time, and the addon sends. */
import { types } from 'node:util'
import type { NativeDirectionStats, NativeForwarder } from '../binding.js'
import { fromNative, hasCode, NetringError } from '../errors.js'
import { wrongType } from '../options/check.js'
import type { BridgeHook } from '../options/bridge.js'
import { LoanedBatch } from '../source/batch.js'
import { BatchHead } from '../source/head.js'
import { columnsToFill, type Lender } from '../source/loan.js'
import type { Packet } from '../source/packet.js'
import { nextTurn } from '../source/turns.js'
import { Waiters } from '../source/waiters.js'
import { weakly } from '../weakly.js'
import { bridgeDirections, closedError, type BridgeDirection, type Engine, type Reporter } from './engine.js'

/** Verdicts and outcomes, with the numbers of crates/netring-node/src/forwarder.rs. */
const verdict = { forward: 0, drop: 1, replace: 2 } as const
const pushed = { nothingLeft: 0, more: 1, noRoom: 2 } as const

/** Nothing tells when the other side has room, or has sent what it took: look again after this. */
const LOOK_AGAIN_MS = 1

/** Bytes of an Ethernet header: nothing shorter is a frame. */
const SMALLEST_FRAME = 14

/** The largest frame that a socket takes. */
const LARGEST_FRAME = 0xffff + SMALLEST_FRAME

/** One direction. */
interface Forwarder {
  readonly native: NativeForwarder
  readonly direction: BridgeDirection
  readonly head: BatchHead
  readonly lender: Lender & { closed: boolean }
  /** The other side has no room. */
  blocked: boolean
}

export class HookedEngine implements Engine {
  readonly #forwarders: readonly Forwarder[]
  readonly #hook: BridgeHook
  readonly #report: Reporter
  readonly #waiters: Waiters
  #closed = false

  constructor(forwarders: readonly NativeForwarder[], hook: BridgeHook, report: Reporter) {
    this.#forwarders = forwarders.map((native, index) => ({
      native,
      direction: bridgeDirections[index] ?? 'aToB',
      head: new BatchHead(native.head()),
      lender: { native, closed: false, wanted: 0, used: 0, batches: 0 },
      blocked: false,
    }))
    this.#hook = hook
    this.#report = report
    const wake = weakly<HookedEngine>(this, this.#wake)
    this.#waiters = new Waiters({
      arm: () => {
        // Both, whatever the first says: either wakes. One without room has no use for another batch.
        const ready = this.#forwarders.map((forwarder) => !forwarder.blocked && forwarder.native.pollOrWait(wake))
        return ready.includes(true)
      },
      disarm: () => {
        for (const { native } of this.#forwarders) native.stopWaiting()
      },
      keepAlive: (keep) => {
        for (const { native } of this.#forwarders) native.keepAlive(keep)
      },
    })
  }

  #wake(): void {
    this.#waiters.wake()
  }

  async run(signal: AbortSignal | undefined): Promise<void> {
    while (!this.#closed) {
      signal?.throwIfAborted()
      if (this.#turn()) await nextTurn()
      else await this.#wait(signal)
    }
  }

  round(timeoutMs: number): boolean {
    if (this.#turn()) return true
    if (this.#closed) return false
    const [first, second] = this.#forwarders
    try {
      if (first && second) first.native.waitWith(second.native, timeoutMs)
    } catch (error) {
      throw fromNative(error)
    }
    return this.#turn()
  }

  /** Waits until either direction has something to do. A link that is down is not the end. */
  async #wait(signal: AbortSignal | undefined): Promise<void> {
    const soon = this.#forwarders.some(({ blocked, native }) => blocked || native.isUnsettled())
    try {
      await this.#waiters.wait(signal, soon ? LOOK_AGAIN_MS : undefined)
    } catch (error) {
      if (!this.#closed && !hasCode(error, 'ERR_NETRING_LINK_DOWN')) throw error
    }
  }

  /** A step of each direction; whether anything moved. */
  #turn(): boolean {
    let moved = false
    try {
      for (const forwarder of this.#forwarders) {
        if (!this.#closed) moved = this.#step(forwarder) || moved
      }
    } catch (error) {
      throw fromNative(error)
    } finally {
      if (!this.#closed) this.#report(this.#forwarders.map(({ native }) => native.takeRejections()))
    }
    return moved
  }

  #step(forwarder: Forwarder): boolean {
    const state = forwarder.native.push()
    forwarder.blocked = state === pushed.noRoom
    if (state !== pushed.nothingLeft) return state === pushed.more
    try {
      if (!this.#decide(forwarder)) return false
    } catch (error) {
      this.#carryOut(forwarder)
      throw error
    }
    if (!this.#closed) forwarder.blocked = forwarder.native.push() === pushed.noRoom
    return true
  }

  /** Sends what was decided before the hook threw. What there is no room for goes with the next run. */
  #carryOut(forwarder: Forwarder): void {
    if (this.#closed) return
    let state: number = pushed.more
    try {
      while (state === pushed.more) state = forwarder.native.push()
      forwarder.blocked = state === pushed.noRoom
    } catch {
      // The next run hears of it: what the hook threw comes first.
    }
  }

  /** Asks the hook about the next batch, if there is one. Where it throws, that packet and all behind it are dropped. */
  #decide(forwarder: Forwarder): boolean {
    const { native, lender, head } = forwarder
    const wanted = columnsToFill(lender)
    const id = native.next(wanted)
    if (id < 0) return false
    const batch = new LoanedBatch(lender, id, head, wanted)
    const verdicts = new Uint8Array(batch.length).fill(verdict.drop)
    const replacements: Uint8Array[] = []
    try {
      let index = 0
      for (const packet of batch) {
        verdicts[index] = this.#ask(packet, forwarder.direction, replacements)
        index++
        if (this.#closed) break
      }
    } finally {
      // Nothing is sent any more of a bridge that its hook has closed.
      if (!this.#closed) {
        batch.surrender()
        native.decide(id, verdicts, replacements)
      }
    }
    return true
  }

  #ask(packet: Packet, direction: BridgeDirection, replacements: Uint8Array[]): number {
    const { length } = packet
    const answer: unknown = this.#hook(packet, direction)
    // What it had in mind is empty by now.
    if (this.#closed) return verdict.drop
    if (answer === 'forward') return verdict.forward
    if (answer === 'drop') return verdict.drop
    if (!types.isUint8Array(answer)) {
      throw wrongType(
        `onPacket's answer to a packet of ${String(length)} bytes`,
        `'forward', 'drop' or a Uint8Array`,
        answer,
      )
    }
    if (answer.length < SMALLEST_FRAME || answer.length > LARGEST_FRAME) {
      throw new NetringError(
        'ERR_NETRING_FRAME',
        `onPacket's answer to a packet of ${String(length)} bytes has ${String(answer.length)} bytes, ` +
          `which is no frame: one has ${String(SMALLEST_FRAME)} to ${String(LARGEST_FRAME)}`,
      )
    }
    // The hook may use its buffer for the next answer, and what is sent is decided a batch at a time.
    replacements.push(Buffer.from(answer))
    return verdict.replace
  }

  stats(): readonly NativeDirectionStats[] {
    return this.#forwarders.map(({ native }) => native.stats())
  }

  halt(): void {
    this.#closed = true
  }

  close(): void {
    this.#closed = true
    let failure: { readonly reason: unknown } | undefined
    try {
      this.#waiters.fail(closedError())
    } finally {
      for (const { lender, native } of this.#forwarders) {
        lender.closed = true
        native.endSending()
      }
      for (const { native } of this.#forwarders) {
        try {
          native.close()
        } catch (error) {
          failure = { reason: fromNative(error) }
        }
      }
    }
    if (failure !== undefined) throw failure.reason as Error
  }
}

/** Forwarding with a hook: JavaScript decides a batch at a time, and the addon sends. */
import { types } from 'node:util'
import type { NativeDirectionStats, NativeFilter, NativeForwarder, NativeSource } from '../addon/binding.js'
import { constants, numbers } from '../addon/constants.js'
import { nextTurn } from '../async/event-loop.js'
import { Waiters } from '../async/waiters.js'
import { weakCallback } from '../async/weak-callback.js'
import { wrongType } from '../check/arguments.js'
import { fromNative } from '../errors/native.js'
import { hasCode, NetringError } from '../errors/netring-error.js'
import { select } from '../filter/select.js'
import type { Packet } from '../packet/packet.js'
import { StoredPacket } from '../packet/stored-packet.js'
import { BatchHeader } from '../source/batch-header.js'
import { BatchView } from '../source/batch-view.js'
import { columnsToFill, sourceState, type SourceState } from '../source/source-state.js'
import { bridgeDirections, closedError, type BridgeDirection, type Engine, type Reporter } from './engine.js'
import type { BridgeHook } from './options.js'

const verdict = numbers(constants?.verdicts, ['forward', 'drop', 'replace'])
const pushed = numbers(constants?.pushStates, ['nothingLeft', 'more', 'noRoom'])

/** The kernel does not report when the other side has room, or has sent what it took: the next look is after this time. */
const LOOK_AGAIN_MS = 1

/** Bytes of an Ethernet header: nothing shorter is a frame. */
const SMALLEST_FRAME = 14

/** The largest frame that a socket takes. */
const LARGEST_FRAME = 0xffff + SMALLEST_FRAME

/** One direction. */
interface Direction {
  readonly native: NativeForwarder
  readonly source: NativeSource
  readonly name: BridgeDirection
  readonly header: BatchHeader
  readonly state: SourceState
  /** The hook is asked about what this matches; the rest is dropped. */
  readonly filter: NativeFilter | null
  /** The other side has no room. */
  blocked: boolean
}

export class HookedEngine implements Engine {
  readonly #directions: readonly Direction[]
  readonly #hook: BridgeHook
  readonly #report: Reporter
  readonly #waiters: Waiters
  #closed = false

  constructor(forwarders: readonly NativeForwarder[], hook: BridgeHook, report: Reporter) {
    this.#directions = forwarders.map((native, index) => {
      const source = native.source()
      return {
        native,
        source,
        name: bridgeDirections[index] ?? 'aToB',
        header: new BatchHeader(source.header()),
        state: sourceState(source),
        filter: native.filter(),
        blocked: false,
      }
    })
    this.#hook = hook
    this.#report = report
    const wake = weakCallback<HookedEngine>(this, this.#wake)
    this.#waiters = new Waiters({
      arm: () => {
        // Both, whatever the first says: either wakes. One without room has no use for another batch.
        const ready = this.#directions.map((direction) => !direction.blocked && direction.source.pollOrWait(wake))
        return ready.includes(true)
      },
      disarm: () => {
        for (const { source } of this.#directions) source.stopWaiting()
      },
      keepAlive: (keep) => {
        for (const { source } of this.#directions) source.keepAlive(keep)
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
    const [first, second] = this.#directions
    try {
      if (first && second) first.native.waitWith(second.native, timeoutMs)
    } catch (error) {
      throw fromNative(error)
    }
    return this.#turn()
  }

  /** Waits until either direction has something to do. A link that is down is not the end. */
  async #wait(signal: AbortSignal | undefined): Promise<void> {
    const soon = this.#directions.some(({ blocked, native }) => blocked || native.isUnsettled())
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
      for (const direction of this.#directions) {
        if (!this.#closed) moved = this.#step(direction) || moved
      }
    } catch (error) {
      throw fromNative(error)
    } finally {
      if (!this.#closed) this.#report(this.#directions.map(({ native }) => native.takeRejections()))
    }
    return moved
  }

  #step(direction: Direction): boolean {
    const state = direction.native.push()
    direction.blocked = state === pushed.noRoom
    if (state !== pushed.nothingLeft) return state === pushed.more
    try {
      if (!this.#decide(direction)) return false
    } catch (error) {
      this.#carryOut(direction)
      throw error
    }
    if (!this.#closed) direction.blocked = direction.native.push() === pushed.noRoom
    return true
  }

  /** Sends what was decided before the hook threw. What there is no room for goes with the next run. */
  #carryOut(direction: Direction): void {
    if (this.#closed) return
    let state: number = pushed.more
    try {
      while (state === pushed.more) state = direction.native.push()
      direction.blocked = state === pushed.noRoom
    } catch {
      // The next run hears of it: what the hook threw comes first.
    }
  }

  /** Asks the hook about the next batch, if there is one. Where it throws, that packet and all behind it are dropped. */
  #decide(direction: Direction): boolean {
    const { native, source, state, filter, header } = direction
    const wanted = columnsToFill(state)
    const id = source.next(wanted)
    if (id < 0) return false
    const batch = new BatchView(state, id, header, wanted)
    const verdicts = new Uint8Array(batch.length).fill(verdict.drop)
    const replacements: Uint8Array[] = []
    try {
      const matching = filter === null ? undefined : select(filter, batch)
      const count = matching?.length ?? batch.length
      for (let at = 0; at < count && !this.#closed; at++) {
        const index = matching?.[at] ?? at
        verdicts[index] = this.#ask(new StoredPacket(batch, index), direction.name, replacements)
      }
    } finally {
      // Nothing is sent any more of a bridge that its hook has closed.
      if (!this.#closed) {
        batch.detach()
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
    return this.#directions.map(({ native }) => native.stats())
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
      for (const { state, native } of this.#directions) {
        state.closed = true
        native.endSending()
      }
      for (const { source } of this.#directions) {
        try {
          source.close()
        } catch (error) {
          failure = { reason: fromNative(error) }
        }
      }
    }
    if (failure !== undefined) throw failure.reason as Error
  }
}

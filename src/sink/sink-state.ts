/** What a sink, its slots and its waits share. */
import type { NativeSink, NativeTxStats } from '../addon/binding.js'
import { Sequence } from '../async/sequence.js'
import { Waiters } from '../async/waiters.js'
import { weakCallback } from '../async/weak-callback.js'
import { native } from '../errors/native.js'
import { NetringError } from '../errors/netring-error.js'
import { warnOnce } from '../errors/warnings.js'

export class SinkState {
  readonly native: NativeSink
  /** What errors call the sink. */
  readonly name: string
  readonly frameCapacity: number
  readonly frameCount: number
  closed: boolean = false
  /** Calls that wait for slots, in their order. */
  readonly senders: Sequence = new Sequence()
  /** Waits for room in the send buffer. AF_XDP needs none: there no flush ends with 'bufferFull'. */
  readonly room: Waiters
  /** Discards slots that the collector finds, by their number. It is one a sink, so that nothing is allocated for a slot. */
  readonly forgotten: FinalizationRegistry<number>
  #last: NativeTxStats | undefined
  /** The native wait has ended: every wait tries again. */
  #awake = false

  constructor(nativeSink: NativeSink, name: string) {
    this.native = nativeSink
    this.name = name
    this.frameCapacity = nativeSink.frameCapacity()
    this.frameCount = nativeSink.frameCount()
    const onMessage = weakCallback<SinkState>(this, this.#wake)
    this.room = new Waiters({
      arm: () => {
        if (this.#awake) return true
        nativeSink.waitWritable(onMessage)
        return false
      },
      disarm: () => {
        nativeSink.stopWaiting()
      },
      keepAlive: (keep) => {
        nativeSink.keepAlive(keep)
      },
    })
    this.forgotten = new FinalizationRegistry((slot) => {
      if (this.closed) return
      this.native.discard(slot)
      warnOnce(
        'NETRING_UNRELEASED_SLOT',
        'A slot was collected without send() or discard(); until then it was lost to the ring.',
        'Use `using slot = ...`, or call slot.discard() where the frame is not sent.',
      )
    })
  }

  #wake(): void {
    if (this.closed) return
    this.#awake = true
    this.room.wake()
    this.#awake = false
  }

  /** The counters now, or as they were when the sink was closed. */
  txStats(): NativeTxStats {
    return this.#last ?? native(() => this.native.txStats())
  }

  /** Ends every wait, reads the counters for the last time and frees what is native. */
  end(): void {
    try {
      this.room.fail(this.closedError())
      this.#keepStats()
    } finally {
      native(() => {
        this.native.close()
      })
    }
  }

  #keepStats(): void {
    try {
      this.#last ??= this.txStats()
    } catch {
      // There are no counters to keep (the interface is gone), and closing goes on without them.
    }
  }

  closedError(): NetringError {
    return new NetringError('ERR_NETRING_CLOSED', `the ${this.name} is closed; open another`)
  }
}

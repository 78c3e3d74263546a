/** What ends a loop over packets or batches. */
import { types } from 'node:util'
import { checkInteger, checkMilliseconds, checkObject, checkSignal, wrongType } from '../check/arguments.js'

/** What ends a loop over packets. */
export interface PacketLoopOptions {
  /** Packets. What follows the last one in its batch is released unseen. */
  readonly count?: number
  /** Milliseconds from the loop's first step on. The clock is read between batches, as for `until`. */
  readonly durationMs?: number
  /** A time, epoch milliseconds if a number. */
  readonly until?: Date | number
  /** Aborting makes the loop throw `signal.reason`. */
  readonly signal?: AbortSignal
}

/** A checked {@link PacketLoopOptions}. */
export interface Loop {
  readonly count: number
  readonly signal: AbortSignal | undefined
  /** When a loop that begins now ends, on the clock of performance.now(). */
  readonly deadline: () => number
}

export function checkLoop(options: PacketLoopOptions | undefined): Loop {
  const given = checkObject('options', options, ['count', 'durationMs', 'until', 'signal'])
  const { count, until } = given
  const durationMs = checkMilliseconds('options.durationMs', given.durationMs, Infinity)
  let latest = Infinity
  if (until !== undefined) {
    const time = types.isDate(until) ? until.getTime() : until
    if (typeof time !== 'number' || Number.isNaN(time)) {
      throw wrongType('options.until', 'a valid Date or epoch milliseconds', until)
    }
    latest = performance.now() + (time - Date.now())
  }
  return {
    count: count === Infinity ? Infinity : checkInteger('options.count', count, Infinity, 0, Number.MAX_SAFE_INTEGER),
    signal: checkSignal('options.signal', given.signal),
    deadline: () => Math.min(latest, performance.now() + durationMs),
  }
}

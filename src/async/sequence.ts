/** Promises: one step after the other, and rejections with any reason. */

/** Takes steps one after the other, in the order in which they were added. */
export class Sequence {
  #last: Promise<unknown> | undefined

  /** Every step that was added has been taken. */
  get idle(): boolean {
    return this.#last === undefined
  }

  add<T>(step: () => T | Promise<T>): Promise<T> {
    const taken = this.#last === undefined ? Promise.resolve().then(step) : this.#last.then(step, step)
    this.#last = taken
    const settled = (): void => {
      if (this.#last === taken) this.#last = undefined
    }
    taken.then(settled, settled)
    return taken
  }
}

/** A rejection with what was thrown or given as an AbortSignal's reason, whatever it is. */
export function rejected(reason: unknown): Promise<never> {
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- see above
  return Promise.reject(reason)
}

import { setTimeout as sleep } from 'node:timers/promises'

const LIMIT_MS = 60_000

/** Waits until what `now` gives satisfies, and says what it gave last when it never does; work `alongside` must not fail meanwhile. */
export async function until(alongside, now, satisfies) {
  let failure
  alongside?.catch((error) => (failure = error))
  const deadline = performance.now() + LIMIT_MS
  while (!satisfies(now())) {
    if (failure !== undefined) throw failure
    if (performance.now() > deadline) throw new Error(`this never added up: ${JSON.stringify(now())}`)
    await sleep(2)
  }
  if (failure !== undefined) throw failure
}

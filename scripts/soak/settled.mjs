import { until } from '../../testkit/traffic.mjs'

const LIMIT_MS = 60_000

/** Waits until what `now` gives satisfies, and says what it gave last when it never does; work `alongside` must not fail meanwhile. */
export async function settled(alongside, now, satisfies) {
  let failure
  alongside?.catch((error) => (failure = error))
  const fine = await until(() => failure !== undefined || satisfies(now()), LIMIT_MS)
  if (failure !== undefined) throw failure
  if (!fine) throw new Error(`this never added up: ${JSON.stringify(now())}`)
}

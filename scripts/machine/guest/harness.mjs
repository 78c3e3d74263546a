/** The smallest runner there can be: a title, a function that throws, a line of TAP. */
import { setTimeout as sleep } from 'node:timers/promises'

/** An emulated processor is slow, and several at once on a busy host are slower. */
const LONGEST_MS = 90_000
const checks = []

/** Adds a check. What it hands to `after` runs when it is over, whatever came of it, last first. */
export function check(title, body) {
  checks.push({ title, body })
}

/** Runs all of them, one after the other. */
export async function finish() {
  let failed = 0
  for (const [index, { title, body }] of checks.entries()) {
    const cleanup = []
    let reason = await outcome(body, (step) => cleanup.push(step))
    for (const step of cleanup.reverse()) {
      const late = await outcome(step)
      reason ??= late
    }
    if (reason !== undefined) failed += 1
    console.log(`${reason === undefined ? 'ok' : 'not ok'} ${index + 1} - ${title}`)
    if (reason !== undefined) console.log(String(reason).replaceAll(/^/gm, '#   '))
  }
  console.log(`1..${checks.length}`)
  process.exit(failed === 0 ? 0 : 1)
}

/** What was thrown, or undefined. */
async function outcome(body, ...args) {
  const late = new AbortController()
  const limit = sleep(LONGEST_MS, undefined, { signal: late.signal }).then(() => {
    throw new Error(`not done within ${LONGEST_MS / 1000} s`)
  })
  try {
    await Promise.race([Promise.resolve().then(() => body(...args)), limit])
    return undefined
  } catch (error) {
    return error?.stack ?? error
  } finally {
    late.abort()
    limit.catch(() => {})
  }
}

/** Waits until something has become true. */
export async function until(what, condition) {
  for (let tries = 0; tries < 1000; tries++) {
    if (await condition()) return
    await sleep(20)
  }
  throw new Error(`did not come: ${what}`)
}

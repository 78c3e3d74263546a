/** The smallest runner there can be, on every runtime: checks by name, one after the other, told as TAP. */

/**
 * What a check hands to it runs when the check is over, whatever came of that, last first.
 *
 * @typedef {(step: () => unknown) => void} After
 */

/** @type {{ title: string, body: (after: After) => unknown }[]} */
const checks = []

/**
 * Adds a check, which fails by throwing.
 *
 * @param {string} title
 * @param {(after: After) => unknown} body
 */
export function check(title, body) {
  checks.push({ title, body })
}

/** Thrown by a check that cannot run here. */
export class Skip extends Error {}

/**
 * Runs what was added and returns how many have failed. `label` is put before each title, so that a failure says where.
 *
 * @param {string} label
 * @param {number} limitMs of each check
 */
export async function runChecks(label, limitMs) {
  let failed = 0
  for (const [index, { title, body }] of checks.entries()) {
    const line = `${index + 1} - ${label}: ${title}`
    const error = await failureOf(body, limitMs)
    if (error === undefined) console.log(`ok ${line}`)
    else if (error instanceof Skip) console.log(`ok ${line}, because ${error.message} # SKIP`)
    else {
      failed += 1
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      console.log(`not ok ${line}\n${text.replaceAll(/^/gm, '#   ')}`)
    }
  }
  console.log(`1..${checks.length}`)
  return failed
}

/**
 * What a check or else its cleaning up threw.
 *
 * @param {(after: After) => unknown} body
 * @param {number} limitMs
 */
async function failureOf(body, limitMs) {
  /** @type {(() => unknown)[]} */
  const cleanup = []
  let failure = await thrownBy(() => body((step) => cleanup.push(step)), limitMs)
  for (const step of cleanup.reverse()) {
    const late = await thrownBy(step, limitMs)
    failure ??= late
  }
  return failure
}

/**
 * @param {() => unknown} body
 * @param {number} limitMs
 */
async function thrownBy(body, limitMs) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not over after ${limitMs} ms`)), limitMs)
  })
  try {
    await Promise.race([Promise.resolve().then(body), late])
    return undefined
  } catch (error) {
    return error ?? new Error('it threw nothing')
  } finally {
    clearTimeout(timer)
  }
}

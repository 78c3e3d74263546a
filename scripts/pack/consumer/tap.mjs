/** The smallest harness that runs on every runtime: checks by name, one after the other, told as TAP. */
const checks = []

export function check(title, body) {
  checks.push({ title, body })
}

/** Thrown by a check that cannot run here. */
export class Skip extends Error {}

/** Runs what was registered; `label` is put before each title, so that a failure says on which runtime. */
export async function runChecks(label) {
  for (const [index, { title, body }] of checks.entries()) {
    const line = `${index + 1} - ${label}: ${title}`
    try {
      await within(60_000, body)
      console.log(`ok ${line}`)
    } catch (error) {
      if (error instanceof Skip) console.log(`ok ${line}, because ${error.message} # SKIP`)
      else console.log(`not ok ${line}\n${String(error?.stack ?? error).replaceAll(/^/gm, '  ')}`)
    }
  }
  console.log(`1..${checks.length}`)
}

async function within(milliseconds, body) {
  let timer
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not over after ${milliseconds} ms`)), milliseconds)
  })
  try {
    await Promise.race([body(), late])
  } finally {
    clearTimeout(timer)
  }
}

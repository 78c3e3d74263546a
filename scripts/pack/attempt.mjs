/** Runs a program that does what testkit/consumer/try.mjs does, and compares what it says. */
import { spawnSync } from 'node:child_process'

/** What is wrong, `expected` being `{ packets, pool, message }` with a pattern for the message. */
export function attempt(command, { packets, pool, message }, { cwd, env }) {
  const [program, ...args] = command
  const options = { encoding: 'utf8', timeout: 60_000, cwd, env }
  const { stdout, stderr, status, signal, error } = spawnSync(program, args, options)
  // It may say that all went well, and crash or hang after it.
  if (status !== 0) return [`${program} ended with ${error?.message ?? signal ?? status}: ${stdout}${stderr}`]
  try {
    const said = JSON.parse(stdout.trim().split('\n').at(-1))
    const fits = said.packets === packets && said.pool === pool && (message?.test(said.message ?? '') ?? true)
    return fits ? [] : [stdout]
  } catch {
    return [`${stdout}${stderr}`]
  }
}

/** What both come to where everything works, and where nothing can be opened. */
export const works = { packets: 'works', pool: 'works' }
export const refused = (code, message) => ({ packets: code, pool: code, message })

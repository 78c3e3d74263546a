/** Examples as a user runs them: processes of their own, against what is built. */
import type { ExecutionContext } from 'ava'
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { End } from './network.js'
import { until } from './traffic.js'

export const root: string = fileURLToPath(new URL('../..', import.meta.url))

/** The names of all examples. */
export const exampleNames: readonly string[] = readdirSync(`${root}examples`)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3))
  .sort()

/** How a process ended, and what it printed. */
export interface Ended {
  readonly status: number | null
  readonly lines: readonly string[]
  readonly errors: string
}

/** A process that runs. */
export interface Running {
  /** Waits until it has printed a line like this. */
  line(pattern: RegExp): Promise<void>
  /** Sends it a signal. */
  kill(signal: NodeJS.Signals): void
  /** Waits for its end. */
  ended(): Promise<Ended>
}

/** Longer than anything takes on a busy machine. */
const TIMEOUT_MS = 60_000

/** Runs a command in a namespace, or in this one, and ends it with the test. */
export function start(t: ExecutionContext, at: Pick<End, 'netns'> | undefined, command: readonly string[]): Running {
  t.timeout(2 * TIMEOUT_MS)
  const [program = '', ...args] = [...(at === undefined ? [] : ['ip', 'netns', 'exec', at.netns]), ...command]
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], timeout: TIMEOUT_MS })
  t.teardown(() => child.kill('SIGKILL'))
  let [output, errors] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const end = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => {
      resolve({ status, lines: output.split('\n').slice(0, -1), errors })
    })
  })
  return {
    line: async (pattern) => {
      const over = (): boolean => child.exitCode !== null || pattern.test(output)
      await until(over, TIMEOUT_MS)
      if (!pattern.test(output)) throw new Error(`${command.join(' ')} did not print ${pattern}: ${output}${errors}`)
    },
    kill: (signal) => child.kill(signal),
    ended: () => end,
  }
}

/** What runs an example; `prefix` stands before node's own command line. */
export function exampleCommand(name: string, args: readonly string[], prefix: readonly string[] = []): string[] {
  return [...prefix, process.execPath, '--import=@oxc-node/core/register', `examples/${name}.ts`, ...args]
}

/** Starts an example. */
export function example(t: ExecutionContext, at: End | undefined, name: string, ...args: readonly string[]): Running {
  return start(t, at, exampleCommand(name, args))
}

/** Starts an example and waits until it receives, on so many sockets. */
export async function receiving(
  t: ExecutionContext,
  at: End,
  sockets: number,
  command: readonly string[],
): Promise<Running> {
  const running = start(t, at, command)
  if (!(await until(() => packetSockets(at) >= sockets, TIMEOUT_MS)))
    throw new Error(`${command.join(' ')} does not receive`)
  return running
}

/** Packet sockets in a namespace that are bound, to all protocols. */
function packetSockets(at: End): number {
  return at.run('cat', '/proc/net/packet').match(/^\S+ +\d+ +\d+ +0003 /gm)?.length ?? 0
}

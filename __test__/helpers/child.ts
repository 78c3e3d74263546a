/** Code in a process of its own: for other capabilities, limits, descriptors, or to send while this thread is busy. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { ExecutionContext } from 'ava'
import type { End } from './network.js'

const folder = new URL('../..', import.meta.url).href

/** What runs a module: `netring`, `frames` and `traffic` are the sources, not what is built. */
function nodeArguments(source: string): string[] {
  const imports = [
    `import * as netring from '${folder}src/index.ts'`,
    `import * as frames from '${folder}testkit/frames.mjs'`,
    `import * as traffic from '${folder}__test__/helpers/traffic.ts'`,
  ]
  return ['--import=@oxc-node/core/register', '--input-type=module', '-e', [...imports, source].join('\n')]
}

/** Runs a module, `prefix` before node's own command line, and returns the JSON that it prints. */
export function runModule(source: string, prefix: readonly string[] = [], timeoutMs = 60_000): unknown {
  const [command = '', ...args] = [...prefix, process.execPath, ...nodeArguments(source)]
  const printed = execFileSync(command, args, { encoding: 'utf8', cwd: new URL(folder), timeout: timeoutMs })
  return JSON.parse(printed)
}

/** Traffic that goes on whatever this thread does. */
export interface Flood {
  /** Stops it and says how many frames were sent: those with the numbers below. */
  stop(): Promise<number>
}

/**
 * Sends numbered frames of these ethertypes in turn, without end, tens of thousands a second. `make` is code that makes
 * the frame of `number`.
 */
export async function flood(
  t: ExecutionContext,
  at: End,
  types: readonly number[],
  make = 'frames.frame(60, number)',
): Promise<Flood> {
  const source = `
    import { setTimeout as sleep } from 'node:timers/promises'
    const injector = netring.Injector.open('${at.name}', { netns: '${at.netns}' })
    const types = ${JSON.stringify(types)}
    const make = (number) => ${make}
    let next = 0
    let on = true
    process.once('message', () => { on = false })
    process.once('disconnect', () => process.exit())
    while (on) {
      const batch = Array.from({ length: 64 }, () => {
        const frame = make(next)
        frame.writeUInt16BE(types[next++ % types.length], 12)
        return frame
      })
      await injector.sendBatchAsync(batch)
      await injector.drained()
      if (next === 64) process.send('ready')
      await sleep(1)
    }
    process.send(next, () => process.disconnect())`
  const child = spawn(process.execPath, nodeArguments(source), {
    cwd: new URL(folder),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  t.teardown(() => child.kill())
  await once(child, 'message')
  return {
    stop: async () => {
      const answer = once(child, 'message')
      child.send('stop')
      const [sent] = (await answer) as [number]
      return sent
    },
  }
}

/** tcpdump as the second opinion of what is on an interface. */
import type { ExecutionContext } from 'ava'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { End } from './network.js'

/** A tcpdump that writes to a file. */
export interface Recording {
  /** Waits until it has all the frames that it was to take, and gives them in hexadecimal. */
  frames(): Promise<string[]>
}

/** Starts tcpdump on an interface, for so many frames; it sees what comes from now on. */
export async function record(t: ExecutionContext, at: End, count: number): Promise<Recording> {
  const folder = mkdtempSync(join(tmpdir(), 'netring-'))
  const file = join(folder, 'seen.pcap')
  const args = ['-Z', 'root', '-i', at.name, '-w', file, '-U', '-s', '0', '-c', String(count)]
  const tcpdump = spawn('ip', ['netns', 'exec', at.netns, 'tcpdump', ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  t.teardown(() => {
    tcpdump.kill()
    rmSync(folder, { recursive: true })
  })
  const exit = once(tcpdump, 'exit')
  let said = ''
  for await (const text of tcpdump.stderr.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    said += String(text)
    // Written once its socket is bound.
    if (said.includes('listening on')) break
  }
  if (!said.includes('listening on')) throw new Error(`tcpdump: ${said}`)
  tcpdump.stderr.resume()
  return {
    frames: async () => {
      await exit
      return readFrames(file)
    },
  }
}

/** The frames of a file, as tcpdump prints them. */
export function readFrames(file: string): string[] {
  const printed = execFileSync('tcpdump', ['-Z', 'root', '-r', file, '-xx', '-t', '-n'], {
    encoding: 'utf8',
    maxBuffer: 1 << 24,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return printed
    .split(/^(?=\S)/m)
    .map((text) =>
      [...text.matchAll(/^\s+0x[0-9a-f]+: {2}(.*)$/gm)].map(([, line]) => line!.replaceAll(' ', '')).join(''),
    )
}

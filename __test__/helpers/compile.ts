/** Small C programs beside this file, for what no shell tool does. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A compiled program, until it is removed. */
export interface Program {
  readonly path: string
  readonly remove: () => void
}

export function compile(source: string): Program {
  const folder = mkdtempSync(join(tmpdir(), 'netring-c-'))
  const path = join(folder, 'program')
  execFileSync('cc', ['-Wall', '-Werror', '-o', path, fileURLToPath(new URL(source, import.meta.url))])
  return {
    path,
    remove: () => {
      rmSync(folder, { recursive: true })
    },
  }
}

/** The packed types, as a strict project resolves and checks them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../run.mjs'

const strict = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  // Our declarations are checked too, not only what uses them.
  skipLibCheck: false,
  noEmit: true,
  target: 'es2023',
  lib: ['es2023', 'esnext.disposable'],
  types: ['node'],
}

/** By module resolution; require() of a module of ES is known to the compiler from nodenext on. */
const resolutions = {
  node16: { options: { module: 'node16', moduleResolution: 'node16' }, files: ['consumer.ts'] },
  nodenext: { options: { module: 'nodenext', moduleResolution: 'nodenext' }, files: ['consumer.ts', 'required.cts'] },
  bundler: { options: { module: 'esnext', moduleResolution: 'bundler' }, files: ['consumer.ts'] },
}

/** Name and command line of each check. */
export function typeChecks(project) {
  const types = join(project, 'types')
  writeFileSync(join(types, 'package.json'), JSON.stringify({ type: 'module' }))
  return Object.entries(resolutions).map(([name, { options, files }]) => {
    const file = join(types, `tsconfig.${name}.json`)
    writeFileSync(file, JSON.stringify({ compilerOptions: { ...strict, ...options }, files }))
    return [
      `types with moduleResolution ${name}`,
      [process.execPath, join(root, 'node_modules/typescript/bin/tsc'), '-p', file],
    ]
  })
}

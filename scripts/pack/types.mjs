/** The packed types, as a strict project resolves and checks them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../run.mjs'
import { fileIn } from '../runtimes.mjs'

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

/** Name and command line of each check; undefined where its compiler is not installed. */
export function typeChecks(project) {
  const types = join(project, 'testkit/consumer/types')
  writeFileSync(join(types, 'package.json'), JSON.stringify({ type: 'module' }))
  const checks = Object.entries(resolutions).map(([name, { options, files }]) => {
    const file = join(types, `tsconfig.${name}.json`)
    writeFileSync(file, JSON.stringify({ compilerOptions: { ...strict, ...options }, files }))
    return [`types with moduleResolution ${name}`, compile(join(root, 'node_modules/typescript/bin/tsc'), file)]
  })
  // The oldest that knows iterables with one type argument, which the declarations are made of.
  const oldest = fileIn('others', 'typescript-oldest', 'bin/tsc')
  const node16 = join(types, 'tsconfig.node16.json')
  return [...checks, ['types for TypeScript 5.6', oldest && compile(oldest, node16)]]
}

function compile(tsc, project) {
  return [process.execPath, tsc, '-p', project]
}

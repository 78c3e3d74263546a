/** What the installed package is run on: the oldest Node.js that it is for, every one in use, Bun and Deno. */
import { installSet, namesIn, program } from '../runtimes.mjs'

/** Sets of scripts/runtimes: those of the tests, and what only the package is run on. */
const sets = ['nodes', 'others']
const labels = { node: 'Node', bun: 'Bun', deno: 'Deno' }
/** How each is told to let a script collect garbage, and to run it. */
const flags = { node: ['--expose-gc'], bun: [], deno: ['run', '--allow-all', '--v8-flags=--expose-gc'] }

/** By name: the program, and the command line that a script's path is added to; undefined where the runtime is not installed. */
export function runtimes() {
  return sets.flatMap((set) =>
    namesIn(set).map((name) => {
      const [kind, ...version] = name.split('-')
      const file = program(set, name)
      return { name: [labels[kind], ...version].join(' '), program: file, command: file && [file, ...flags[kind]] }
    }),
  )
}

/** Installs what is missing; what cannot be is told of by name. */
export function installRuntimes() {
  for (const set of sets) installSet(set)
}

/**
 * `npm run example NAME -- ARGUMENTS`: runs examples/NAME.ts. Builds what is missing. Without a name, or with one that is
 * none, it lists what there is.
 */
import { spawn } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { exitStatus, onSignals, root, stop } from './run.mjs'
import { ensureReady } from './setup.mjs'

const [name, ...args] = process.argv.slice(2)
const folder = join(root, 'examples')
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3))
  .sort()

if (!names.includes(name)) {
  process.stderr.write(`${name === undefined ? 'Which example?' : `There is no example "${name}".`} There are:\n`)
  const width = Math.max(...names.map(({ length }) => length))
  for (const known of names) process.stderr.write(`  ${known.padEnd(width)}  ${firstSentence(known)}\n`)
  process.stderr.write('Usage: npm run example NAME -- ARGUMENTS\n')
  process.exit(2)
}

/** Of the comment at the head of an example, what stands before its usage. */
function firstSentence(example) {
  const [, comment] = /^\/\*\*([\s\S]*?)\*\//.exec(readFileSync(join(folder, `${example}.ts`), 'utf8')) ?? []
  return /^.*?\.(?=\s|$)/.exec(comment.replaceAll(/\s*\n \*\s?/g, ' ').trim())?.[0]
}

ensureReady()
const child = spawn(process.execPath, ['--import=@oxc-node/core/register', join(folder, `${name}.ts`), ...args], {
  stdio: 'inherit',
})
onSignals((signal) => {
  // Ctrl-C at a terminal reaches the example without our help; twice would end it before its summary.
  if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
})
child.on('error', (error) => stop(`node: ${error.message}`))
child.on('exit', (code, signal) => process.exit(exitStatus(code, signal)))

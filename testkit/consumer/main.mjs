/**
 * `RUNTIME main.mjs LABEL`: everything that is to work with an installed netring, told as TAP. Its two runners are
 * `npm run pack:check`, on every runtime, and the emulated machines; both have made the network of network.mjs before.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { release } from 'node:os'
import * as netring from 'netring'
import { check, runChecks } from '../tap.mjs'
import { LIMIT_MS, pageSize } from './place.mjs'

const warnings = []
process.on('warning', (warning) => warnings.push(warning))

const cpus = readFileSync('/proc/cpuinfo', 'utf8').match(/^processor/gm).length
console.log(`# Linux ${release()} ${process.arch}, ${cpus} CPUs, pages of ${pageSize()} bytes, ${process.version}`)

check('require() and import give the same classes', () => {
  const required = createRequire(import.meta.url)('netring')
  for (const name of Object.keys(netring)) assert.equal(required[name], netring[name], name)
})

for (const subject of ['capture', 'channel', 'xdp', 'bridge']) await import(`./${subject}.mjs`)

check('nothing of this made the process warn', () => {
  // That require() takes modules of ES at all is what the oldest Node.js 22 that does warns of.
  const expected = process.versions.node.startsWith('22.12.') ? 1 : 0
  assert.equal(warnings.length, expected, String(warnings))
  if (expected) assert.match(warnings[0].message, /loading ES Module .* using require/)
})

// Of these some leave batches to the collector, which netring warns of.
for (const subject of ['views', 'threads', 'processes']) await import(`./${subject}.mjs`)

const failed = await runChecks(process.argv[2], LIMIT_MS)
process.exit(failed === 0 ? 0 : 1)

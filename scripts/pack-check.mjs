/**
 * `npm run pack:check`: packs what a release would publish, installs it as a user would, and runs it on every runtime.
 * Here is what needs a way to the outside; the checks themselves are scripts/pack/main.mjs, in a network of their own.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { enterPrivateNamespace } from './namespace.mjs'
import { makeProject } from './pack/project.mjs'
import { installRuntimes } from './pack/runtimes.mjs'
import { packAll } from './pack/tarballs.mjs'
import { ensureReady } from './setup.mjs'

ensureReady({ tools: ['ip', 'sysctl', 'tar'] })
installRuntimes()

const folder = mkdtempSync(join(tmpdir(), 'netring-pack-'))
process.on('exit', () => rmSync(folder, { recursive: true }))
for (const name of ['tarballs', 'project']) mkdirSync(join(folder, name))
const tarballs = packAll(join(folder, 'tarballs'))
writeFileSync(join(folder, 'tarballs.json'), JSON.stringify(tarballs))
makeProject(join(folder, 'project'), tarballs)
enterPrivateNamespace(['scripts/pack/main.mjs', folder])

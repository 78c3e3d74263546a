/**
 * `npm run pack:check`: packs what a release would publish, installs it as a user would, and runs it on every runtime.
 * Here is what needs a way to the outside; the checks themselves are scripts/pack/main.mjs, in a network of their own.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { enterPrivateNamespace } from './namespace.mjs'
import { makeProjects } from './pack/project.mjs'
import { installRuntimes } from './pack/runtimes.mjs'
import { packAll } from './pack/tarballs.mjs'
import { buildPlatformPackage, ensureReady } from './setup.mjs'

ensureReady({ tools: ['ip', 'sysctl', 'tar', 'readelf'] })
buildPlatformPackage(`linux-${process.arch}-gnu`)
installRuntimes()

const folder = mkdtempSync(join(tmpdir(), 'netring-pack-'))
process.on('exit', () => rmSync(folder, { recursive: true }))
mkdirSync(join(folder, 'tarballs'))
const tarballs = packAll(join(folder, 'tarballs'))
writeFileSync(join(folder, 'packed.json'), JSON.stringify({ tarballs, ...makeProjects(folder, tarballs) }))
enterPrivateNamespace(['scripts/pack/main.mjs', join(folder, 'packed.json')])

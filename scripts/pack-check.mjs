/**
 * `npm run pack:check`: packs what a release would publish, installs it as a user would, and runs it on every runtime.
 * Here is what needs a way to the outside; the checks themselves are scripts/pack/main.mjs, in a network of their own.
 */
import { join } from 'node:path'
import { enterPrivateNamespace } from './namespace.mjs'
import { ensureLists, keyring } from './machine/apt.mjs'
import { installRuntimes } from './pack/runtimes.mjs'
import { isBuilt } from './pack/tarballs.mjs'
import { stop, temporaryFolder } from './run.mjs'
import { ensureReady } from './setup.mjs'
import { buildPlatformPackage } from './setup/build.mjs'
import { giveToCaller, runAsCaller } from './setup/caller.mjs'
import { checkTools } from './setup/tools.mjs'

ensureReady({ tools: ['ip', 'sysctl', 'tar', 'readelf'] })
buildPlatformPackage(`linux-${process.arch}-gnu`)
installRuntimes()
// Being experimental it need not be built; a Node.js for musl is then of no use.
if (process.arch === 'x64' && isBuilt('linux-x64-musl')) {
  checkTools(['python3', 'dpkg-deb', keyring])
  ensureLists()
  runAsCaller([process.execPath, 'scripts/runtimes/musl.mjs'])
}

const { folder, restore } = temporaryFolder('pack')
giveToCaller(folder)
if (!runAsCaller([process.execPath, 'scripts/pack/make.mjs', folder])) stop('nothing has been checked: see above')
restore()
enterPrivateNamespace(['scripts/pack/main.mjs', join(folder, 'packed.json')])

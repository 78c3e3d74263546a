/** zizmor, which looks for what a workflow should not do, from PyPI by checksum. `node scripts/zizmor.mjs` installs it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeEnvironment, pip } from './pip.mjs'
import { root, say } from './run.mjs'
import { runAsCaller } from './setup/caller.mjs'
import { checkTools } from './setup/tools.mjs'

const folder = join(root, 'node_modules', '.cache', 'zizmor')
const program = join(folder, 'bin', 'zizmor')
const mark = join(folder, 'installed')
/** For x64 and arm64. */
const requirements = `zizmor==1.32.0 \\
  --hash=sha256:84a6acb975accc13408786a2bd274b572537ca19c933ebbc13e78f3988562071 \\
  --hash=sha256:0cdd38fca6eb34ceb567548548d706332e3535ea66894b9168c048e03207b68c
`
const isThere = () => existsSync(mark) && readFileSync(mark, 'utf8') === requirements

/** The program, installed where it is not there; undefined where that cannot be. */
export function ensureZizmor() {
  if (isThere()) return program
  // Root gets python3 where that is missing; of others the environment asks for it.
  if (process.getuid() === 0) checkTools(['python3'])
  runAsCaller([process.execPath, fileURLToPath(import.meta.url)])
  return isThere() ? program : undefined
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  say('installing zizmor from PyPI in node_modules/.cache')
  makeEnvironment(folder)
  pip(folder, 'install', requirements)
  writeFileSync(mark, requirements)
}

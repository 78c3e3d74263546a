/**
 * `npm run publish:packages -- v1.2.3`: publishes the platform packages, then netring, as `npm run pack:check` packs them, each with
 * its provenance. For the release workflow. A package that is there already, from a run that failed half-way, is passed over
 * if it is the same to the byte.
 * `-- --dry-run`: packs all and publishes nothing, whatever is missing for a release.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { faultsOf, packAll } from './pack/tarballs.mjs'
import { distributionTag, platformPackages, problems } from './release.mjs'
import { npm, read, root, run, say, stop, temporaryFolder } from './run.mjs'

const { values, positionals } = parseArgs({ allowPositionals: true, options: { 'dry-run': { type: 'boolean' } } })
const dryRun = values['dry-run'] === true
// A tag is what says that somebody means this version.
if (positionals.length !== 1 && !dryRun) {
  stop(
    'which release? Give its tag: npm run publish:packages -- v1.2.3; or nothing but --dry-run, to see what would be published',
  )
}

const found = [...problems(positionals[0]), ...missing()]
for (const problem of found) say(problem)
if (found.length > 0 && !dryRun) stop('nothing has been published: see above')

const { folder } = temporaryFolder('publish')
// netring names the others, which have to be there by then.
const last = ({ name }) => (name === 'netring' ? 1 : 0)
const tarballs = packAll(folder).sort((a, b) => last(a) - last(b))
// Packed anew, so looked at anew: of packages that were published nothing can be taken back.
const faults = tarballs.flatMap((tarball) => faultsOf(tarball, join(folder, 'unpacked')))
for (const fault of faults) say(fault)
if (faults.length > 0) stop('nothing has been published: see above')
for (const tarball of tarballs) publish(tarball)

/** What `npm run prebuild` and `npm run build:ts` make. */
function missing() {
  const files = [...platformPackages.map(({ folder, main }) => join(folder, main)), join('dist', 'index.js')]
  return files.filter((file) => !existsSync(join(root, file))).map((file) => `${file} is missing: build it first`)
}

function publish({ name, version, file, integrity }) {
  const id = `${name}@${version}`
  const there = dryRun ? undefined : read(...npm('view', id, 'dist.integrity'))
  if (there === integrity) return say(`${id} is published already`)
  if (there) {
    stop(
      `${id} is published already, with other contents (${there}) than these (${integrity}): whose is it? Nothing is put over it`,
    )
  }
  const how = dryRun ? ['--dry-run'] : ['--provenance', '--access', 'public']
  if (!run(npm('publish', file, '--ignore-scripts', ...distributionTag(version), ...how)))
    stop(`${id} could not be published: see above`)
  say(dryRun ? `${id} would be published` : `${id} is published`)
}

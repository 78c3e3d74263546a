/**
 * `npm run publish:packages -- v1.2.3`: publishes the platform packages, then netring, each with its provenance. For the release
 * workflow. A package that is there already, from a run that failed half-way, is passed over.
 * `-- --dry-run`: packs all and publishes nothing, whatever is missing for a release.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { packages, platformPackages, problems } from './release.mjs'
import { npm, read, root, run, say, stop } from './run.mjs'

const { values, positionals } = parseArgs({ allowPositionals: true, options: { 'dry-run': { type: 'boolean' } } })
const dryRun = values['dry-run'] === true

const found = [...problems(positionals[0]), ...missing()]
for (const problem of found) say(problem)
if (found.length > 0 && !dryRun) stop('nothing has been published: see above')

const main = join(root, 'package.json')
const written = readFileSync(main, 'utf8')
writeFileSync(main, withPlatforms(written))
try {
  for (const { folder, name, version } of packages) publish(folder, name, version)
} finally {
  writeFileSync(main, written)
}

/** What `npm run prebuild` and `npm run build:ts` make. */
function missing() {
  const files = [...platformPackages.map(({ folder, main }) => join(folder, main)), join('dist', 'index.js')]
  return files.filter((file) => !existsSync(join(root, file))).map((file) => `${file} is missing: build it first`)
}

/** Only now: until they are published, `npm ci` would look for them in vain. */
function withPlatforms(text) {
  const optionalDependencies = Object.fromEntries(platformPackages.map(({ name, version }) => [name, version]))
  return `${JSON.stringify({ ...JSON.parse(text), optionalDependencies }, undefined, 2)}\n`
}

function publish(folder, name, version) {
  const id = `${name}@${version}`
  if (!dryRun && read(...npm('view', id, 'version')) === version) return say(`${id} is published already`)
  const how = dryRun ? ['--dry-run'] : ['--provenance', '--access', 'public']
  if (!run(npm('publish', `./${folder}`, '--ignore-scripts', ...how))) stop(`${id} could not be published: see above`)
  say(dryRun ? `${id} would be published` : `${id} is published`)
}

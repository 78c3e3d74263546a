/**
 * `npm run notice`: writes THIRD-PARTY.md, which names what is linked into the addon. Packing puts it, with netring's own
 * licences, into each platform package too: a package is passed on by itself.
 * `npm run notice -- --check`: fails when what is committed is not what would be written.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { linkedCrates } from './notice/crates.mjs'
import { linkedLibraries } from './notice/libraries.mjs'
import { page } from './notice/page.mjs'
import { licenceOf } from './notice/texts.mjs'
import { root, say, stop } from './run.mjs'

const crates = linkedCrates()
const notice = page(
  crates.map((crate) => ({ ...crate, licence: licenceOf(crate) })),
  linkedLibraries(crates),
)

const file = join(root, 'THIRD-PARTY.md')
const changed = !existsSync(file) || readFileSync(file, 'utf8') !== notice

if (process.argv.includes('--check')) {
  if (changed) stop('THIRD-PARTY.md is not what Cargo.lock gives. Run:\n  npm run notice && git add THIRD-PARTY.md')
  say(`THIRD-PARTY.md names the ${crates.length} crates that are linked`)
} else {
  if (changed) writeFileSync(file, notice)
  say(changed ? 'written: THIRD-PARTY.md' : 'nothing has changed')
}

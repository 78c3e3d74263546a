/**
 * `npm run notice`: writes THIRD-PARTY.md, which names what is linked into the addon, and puts it and netring's own licences
 * beside each platform package's files: a package is passed on by itself.
 * `npm run notice -- --check`: fails when what is committed is not what would be written.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
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

const ours = ['LICENSE-MIT', 'LICENSE-APACHE'].map((file) => [file, readFileSync(join(root, file), 'utf8')])
const platforms = readdirSync(join(root, 'npm')).map((name) => join('npm', name))
const wanted = new Map([
  ['THIRD-PARTY.md', notice],
  ...platforms.flatMap((folder) =>
    [['THIRD-PARTY.md', notice], ...ours].map(([file, text]) => [join(folder, file), text]),
  ),
])
const changed = [...wanted].filter(([file, text]) => {
  return !existsSync(join(root, file)) || readFileSync(join(root, file), 'utf8') !== text
})

if (process.argv.includes('--check')) {
  if (changed.length > 0) {
    const files = changed.map(([file]) => file)
    stop(`not what Cargo.lock gives: ${files.join(', ')}. Run:\n  npm run notice && git add ${files.join(' ')}`)
  }
  say(`THIRD-PARTY.md names the ${crates.length} crates that are linked, and is in ${platforms.join(', ')}`)
} else {
  for (const [file, text] of changed) writeFileSync(join(root, file), text)
  say(changed.length === 0 ? 'nothing has changed' : `written: ${changed.map(([file]) => file).join(', ')}`)
}

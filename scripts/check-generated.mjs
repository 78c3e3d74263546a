/** Fails when the committed index.js and index.d.ts are not what the Rust code gives. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { npm, read, run, say, stop } from './run.mjs'

const folder = mkdtempSync(join(tmpdir(), 'netring-generated-'))
process.on('exit', () => rmSync(folder, { recursive: true }))

say('generating the bindings afresh')
if (!run(npm('run', '--silent', 'build:native', '--', '-o', folder))) stop('the native part does not build: see above')

for (const file of ['index.js', 'index.d.ts']) {
  if (readFileSync(join(folder, file), 'utf8').trim() !== read('git', 'show', `:${file}`)) {
    stop(`${file} is not what the Rust code gives. Run:\n  npm run build:native && git add index.js index.d.ts`)
  }
}
say('index.js and index.d.ts are what the Rust code gives')

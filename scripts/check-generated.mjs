/** Fails when the committed index.d.ts is not what the Rust code gives, or the public API not what is committed of it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { npm, read, run, say, stop, temporaryFolder } from './run.mjs'

const { folder } = temporaryFolder('generated')

say('generating the bindings afresh')
if (!run(npm('run', '--silent', 'build:native', '--', '-o', folder))) stop('the native part does not build: see above')

if (readFileSync(join(folder, 'index.d.ts'), 'utf8').trim() !== read('git', 'show', ':index.d.ts')) {
  stop('index.d.ts is not what the Rust code gives. Run:\n  npm run build:native && git add index.d.ts')
}
say('index.d.ts is what the Rust code gives')
if (!run(npm('run', '--silent', 'api', '--', '--check'))) process.exitCode = 1

/** What `npm run build:native` begins with: installs what compiling takes, or says the line that does. */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './run.mjs'
import { ensureBuildTools } from './setup.mjs'

ensureBuildTools()
// napi writes the new binary over the old one, and a process that runs that would find other code where its own was.
for (const name of readdirSync(root).filter((name) => name.endsWith('.node'))) rmSync(join(root, name))

/** `npm run demo`: packets through a ring, in a network of their own. Builds what is missing. */
import { enterPrivateNamespace } from './namespace.mjs'
import { ensureReady } from './setup.mjs'

ensureReady({ tools: ['ip'] })
enterPrivateNamespace(['scripts/demo/main.mjs', ...process.argv.slice(2)])

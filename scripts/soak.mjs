/**
 * `npm run soak -- --minutes 10`: opens and closes everything there is, over and over, under traffic, for so long. Every frame has
 * to be accounted for, and what the process holds may not grow.
 */
import { parseArgs } from 'node:util'
import { enterPrivateNamespace } from './namespace.mjs'
import { stop } from './run.mjs'
import { ensureReady } from './setup.mjs'

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } })
if (!(Number(values.minutes) > 0)) stop(`--minutes takes a number above 0, not ${values.minutes}`)

ensureReady({ tools: ['ip', 'sysctl'] })
enterPrivateNamespace(['--expose-gc', 'scripts/soak/main.mjs', values.minutes])

/**
 * `npm test`: every test there is, in a network of their own. Builds what is missing.
 * `npm test -- __test__/capture/bytes.test.ts`: what follows the dashes goes to ava, and only ava runs.
 */
import { enterPrivateNamespace } from './namespace.mjs'
import { installSet } from './runtimes.mjs'
import { ensureReady } from './setup.mjs'
import { buildRustTests } from './setup/build.mjs'

const args = process.argv.slice(2)
ensureReady({ tools: ['ip', 'tcpdump', 'tshark', 'pcap.h', 'ethtool', 'tc', 'sysctl'] })
if (args.length === 0) {
  buildRustTests()
  // The tests whose subject changes with V8 run on these too: what becomes of views.
  installSet('nodes')
}
enterPrivateNamespace(['scripts/test/main.mjs', ...args])

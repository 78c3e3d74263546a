/**
 * `npm test`: every test there is, in a network of their own. Builds what is missing.
 * `npm test -- __test__/capture/bytes.test.ts`: what follows the dashes goes to ava, and only ava runs.
 */
import { enterPrivateNamespace } from './namespace.mjs'
import { buildRustTests, ensureReady } from './setup.mjs'
import { installNodes } from './test/nodes.mjs'

const args = process.argv.slice(2)
ensureReady({ tools: ['ip', 'tcpdump', 'tshark', 'ethtool', 'tc', 'sysctl'] })
if (args.length === 0) {
  buildRustTests()
  installNodes()
}
enterPrivateNamespace(['scripts/test/main.mjs', ...args])

/** All checks, in TAP, on the console of the machine. Run by its init. */
import { readFileSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { finish } from './harness.mjs'
import { pageSize } from './system.mjs'

// IPv6 would send packets of its own on every new interface.
for (const scope of ['all', 'default']) writeFileSync(`/proc/sys/net/ipv6/conf/${scope}/disable_ipv6`, '1')
const cpus = readFileSync('/proc/cpuinfo', 'utf8').match(/^processor/gm).length
console.log(
  `# Linux ${release()} ${process.arch}, ${cpus} CPUs, pages of ${pageSize()} bytes, Node ${process.versions.node}`,
)

for (const subject of ['capture', 'views', 'processes', 'xdp', 'bridge']) await import(`./${subject}.mjs`)
await finish()

/**
 * `npm run test:arm64`: the arm64 package on a whole emulated machine, with a kernel of its own. `node scripts/machine.mjs
 * arm64-16k` boots a kernel with pages of 16 KiB, `node scripts/machine.mjs x64` an x64 machine: a way to try another
 * kernel than the one that runs here.
 *
 * Prints what the machine's console prints. Its checks tell in TAP how they went; a machine that does not come to their
 * end has failed.
 */
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { runLines, say, stop } from './run.mjs'
import { ensureLists, keyring } from './machine/apt.mjs'
import { makeInitramfs } from './machine/initramfs.mjs'
import { fetchParts } from './machine/parts.mjs'
import { systems } from './machine/systems.mjs'
import { ensureTools } from './setup.mjs'
import { buildPlatformPackage, buildTypeScript } from './setup/build.mjs'
import { becomeCaller } from './setup/caller.mjs'
import { Tally, TapTally } from './test/tally.mjs'

const [name = 'arm64'] = process.argv.slice(2).filter((argument) => argument !== '--as-built')
const system = systems[name] ?? stop(`there is no machine ${name}: ${Object.keys(systems).join(', ')}`)
const [qemu] = system.qemu

ensureTools([qemu, 'cpio', 'dpkg-deb', 'xz', keyring])
ensureLists()
buildPlatformPackage(system.binary)
becomeCaller()
buildTypeScript()
const parts = fetchParts(system)
const initramfs = makeInitramfs(system, parts)

const kernel = join(parts.system, 'boot', `vmlinuz-${parts.version}`)
const append = `console=${system.console} quiet panic=-1`
const command = [...system.qemu, '-kernel', kernel, '-initrd', initramfs, '-append', append]
say(`booting Linux ${parts.version}`)
const started = performance.now()
const [total, tally] = [new Tally(), new TapTally()]
const status = await runLines(
  command,
  (text, stream) => {
    // A console ends lines with a carriage return too, and firmware clears the screen first.
    const line = stripVTControlCharacters(text).replaceAll('\r', '')
    tally.line(line, stream)
    process.stdout.write(`${line}\n`)
  },
  { timeoutMs: 10 * 60_000 },
)
tally.end(`the ${name} machine`, status)
total.add(tally)
say(`from power-on to power-off: ${((performance.now() - started) / 1000).toFixed(0)} s`)
console.log(total.report())
process.exitCode = total.failed.length === 0 ? 0 : 1

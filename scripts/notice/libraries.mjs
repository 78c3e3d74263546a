/**
 * The C libraries that two crates carry in source and that are linked with them: libbpf and libxdp. Each file that is
 * compiled says LGPL-2.1 or BSD-2-Clause; netring takes the second. One that says something else ends the script.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { stop } from '../run.mjs'
import { noticesIn, spdxOf } from './texts.mjs'

const choice = 'LGPL-2.1 OR BSD-2-Clause'

/** Where the crates keep them, and what their build scripts compile of it. */
const libraries = [
  { name: 'libbpf', crate: 'libbpf-sys', folder: 'libbpf/src', compiled: (file) => file.endsWith('.c') },
  {
    name: 'libxdp',
    crate: 'libxdp-sys',
    folder: 'xdp-tools/lib/libxdp',
    compiled: (file) => ['libxdp.c', 'xsk.c'].includes(file),
  },
]

/** Name, version and copyright notices of each. */
export function linkedLibraries(crates) {
  return libraries.map(({ name, crate: crateName, folder, compiled }) => {
    const crate = crates.find(({ name }) => name === crateName)
    const sources = join(crate.folder, folder)
    const files = readdirSync(sources)
      .filter(compiled)
      .map((file) => join(sources, file))
    if (files.length === 0) stop(`${crateName} ${crate.version} has no sources of ${name} in ${folder}`)
    for (const file of files) {
      if (spdxOf(file) !== choice) stop(`${file} is under ${spdxOf(file)}: look whether it may be linked`)
    }
    // libbpf-sys 1.5.1+v1.5.1, libxdp-sys 0.2.4+1.6.0: what follows the plus is the library's own.
    return { name, version: crate.version.split('+')[1].replace(/^v/, ''), notices: noticesIn(files) }
  })
}

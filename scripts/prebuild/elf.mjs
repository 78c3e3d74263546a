/** What a shared object asks of the system that is to load it, read with readelf, which reads any processor's. */
import { readFileSync } from 'node:fs'
import { read } from '../run.mjs'
import { formerlyApart, oldestGlibc } from './targets.mjs'

/** The facts that decide where a .node file loads. Without any where it is no ELF file. */
export function inspect(file) {
  const elf = (...options) => read('readelf', '-W', ...options, file) ?? ''
  const header = elf('-h')
  const field = (name) => parseInt(new RegExp(`^\\s*${name}:\\s+(\\d+)`, 'm').exec(header)?.[1], 10)
  const contents = readFileSync(file)
  const bytes = contents.length
  // The table of sections is what linkers write last.
  const end = field('Start of section headers') + field('Number of section headers') * field('Size of section headers')
  const symbols = elf('-V')
  const versions = [...symbols.matchAll(/\bGLIBC_(\d+)\.(\d+)/g)].map(([, major, minor]) => [+major, +minor])
  const loads = [...elf('-l').matchAll(/^\s*LOAD\s.*\s0x([0-9a-f]+)$/gm)].map(([, size]) => parseInt(size, 16))
  return {
    bytes,
    whole: bytes >= end && loads.length > 0,
    machine: /^\s*Machine:\s+(.+)$/m.exec(header)?.[1],
    needed: [...elf('-d').matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, library]) => library),
    glibc: versions.reduce((newest, version) => (isOlder(newest, version) ? version : newest), [0, 0]),
    stripped: !/ \.(symtab|debug_\w+) /.test(elf('-S')),
    alignment: Math.min(...loads),
    /** Needs of glibc that are no version, such as GLIBC_ABI_DT_RELR, which is 2.36's. */
    unversioned: [...new Set(symbols.match(/\bGLIBC_[A-Z]\w*/g))],
    bpfPrograms: bpfProgramsIn(contents),
    addon: / napi_register_module_v1$/m.test(elf('--dyn-syms')),
  }
}

/** What is wrong with the binary of a target, a line each. */
export function faults(facts, { machine, libraries, largestPage }) {
  if (!facts.whole) return [`it is no ELF file, or is cut off at ${facts.bytes} bytes`]
  const foreign = facts.needed.filter((library) => ![...libraries, ...formerlyApart].includes(library))
  return [
    facts.machine !== machine && `it is for ${facts.machine}, not for ${machine}`,
    foreign.length > 0 && `it needs ${foreign.join(', ')}; a machine that only runs Node may not have that`,
    isOlder(oldestGlibc, facts.glibc) &&
      `it needs glibc ${facts.glibc.join('.')}; the floor is ${oldestGlibc.join('.')}`,
    facts.unversioned.length > 0 && `it needs ${facts.unversioned.join(', ')} of glibc`,
    !facts.needed.includes(libraries[0]) && `it does not need ${libraries[0]}, which cannot be`,
    facts.bpfPrograms > 0 && `it carries ${facts.bpfPrograms} BPF programs: those of libxdp are under GPL-2.0`,
    !facts.stripped && 'it still has symbols or debug sections',
    facts.alignment < largestPage &&
      `its segments are aligned to ${facts.alignment} bytes: kernels with pages of ${largestPage} refuse it`,
    !facts.addon && 'it does not export napi_register_module_v1: Node cannot load it',
  ].filter(Boolean)
}

/** ELF files for BPF inside of another one: how many begin there. Offsets and values: elf(5). */
function bpfProgramsIn(file) {
  const [magic, machine, bpf] = ['\x7fELF', 18, 247]
  let count = 0
  for (let at = file.indexOf(magic, 0, 'latin1'); at >= 0; at = file.indexOf(magic, at + 1, 'latin1')) {
    if (at + machine + 2 <= file.length && file.readUInt16LE(at + machine) === bpf) count++
  }
  return count
}

function isOlder([major, minor], [otherMajor, otherMinor]) {
  return major < otherMajor || (major === otherMajor && minor < otherMinor)
}

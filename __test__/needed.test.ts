/** What is in the addon, and what it needs beside itself: to load on any Linux with glibc, and to be passed on. */
import test, { type ExecutionContext } from 'ava'
import { readdirSync, readFileSync } from 'node:fs'

const root = new URL('../', import.meta.url)

/** The first bytes of every ELF file, and where it says which processor it is for: elf(5). */
const ELFMAG = '\x7fELF'
const E_MACHINE = 18
const EM_BPF = 247

/** Types of section and of entry, and where the fields are: elf(5), 64 bits, little-endian. */
const SHT_DYNAMIC = 6
const DT_NEEDED = 1n
const ENTRY = { size: 16, value: 8 }

interface Section {
  readonly type: number
  readonly link: number
  readonly bytes: Buffer
}

function sectionsOf(file: Buffer): Section[] {
  const [start, size, count] = [Number(file.readBigUInt64LE(0x28)), file.readUInt16LE(0x3a), file.readUInt16LE(0x3c)]
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * size
    const [offset, length] = [Number(file.readBigUInt64LE(at + 0x18)), Number(file.readBigUInt64LE(at + 0x20))]
    return {
      type: file.readUInt32LE(at + 4),
      link: file.readUInt32LE(at + 0x28),
      bytes: file.subarray(offset, offset + length),
    }
  })
}

/** The names of the libraries that an ELF file asks the loader for. */
function needed(file: Buffer): string[] {
  const sections = sectionsOf(file)
  const names: string[] = []
  for (const { link, bytes } of sections.filter(({ type }) => type === SHT_DYNAMIC)) {
    const strings = sections[link]!.bytes
    for (let at = 0; at < bytes.length; at += ENTRY.size) {
      if (bytes.readBigUInt64LE(at) !== DT_NEEDED) continue
      const name = Number(bytes.readBigUInt64LE(at + ENTRY.value))
      names.push(strings.toString('latin1', name, strings.indexOf(0, name)))
    }
  }
  return names
}

/** Where an ELF file begins inside another one, its own beginning included. */
function elfFilesIn(file: Buffer): number[] {
  const places: number[] = []
  for (let at = file.indexOf(ELFMAG, 0, 'latin1'); at >= 0; at = file.indexOf(ELFMAG, at + 1, 'latin1')) places.push(at)
  return places
}

function addons(t: ExecutionContext): Buffer[] {
  const names = readdirSync(root).filter((name) => name.endsWith('.node'))
  t.true(names.length > 0)
  return names.map((name) => readFileSync(new URL(name, root)))
}

test('the addon needs no library but those of libc and the compiler', (t) => {
  for (const addon of addons(t)) {
    const names = needed(addon)
    t.true(names.includes('libc.so.6'), names.join(' '))
    const others = names.filter((name) => !/^(libc|libm|libgcc_s|ld-linux-[\w-]+)\.so\.\d$/.test(name))
    t.deepEqual(others, [])
  }
})

test("the addon carries none of libxdp's BPF programs, whose licence is GPL-2.0", (t) => {
  for (const addon of addons(t)) {
    const machines = elfFilesIn(addon).map((at) => addon.readUInt16LE(at + E_MACHINE))
    t.true(machines.length > 0)
    t.false(machines.includes(EM_BPF))
  }
})

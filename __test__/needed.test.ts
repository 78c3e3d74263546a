/** The addon is to load on any Linux with glibc: what it needs beside itself is libc's own libraries. */
import test from 'ava'
import { readdirSync, readFileSync } from 'node:fs'

const root = new URL('../', import.meta.url)

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

test('the addon needs no library but those of libc and the compiler', (t) => {
  const addons = readdirSync(root).filter((name) => name.endsWith('.node'))
  t.true(addons.length > 0)
  for (const addon of addons) {
    const names = needed(readFileSync(new URL(addon, root)))
    t.true(names.includes('libc.so.6'), names.join(' '))
    const others = names.filter((name) => !/^(libc|libm|libgcc_s|ld-linux-[\w-]+)\.so\.\d$/.test(name))
    t.deepEqual(others, [])
  }
})

/** What is in the addon, and what it needs beside itself: to load on any Linux with glibc, and to be passed on. */
import test from 'ava'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Facts {
  readonly whole: boolean
  readonly needed: readonly string[]
  readonly bpfPrograms: number
  readonly addon: boolean
}

const elf = '../scripts/prebuild/elf.mjs'
const { inspect } = (await import(elf)) as { inspect: (file: string) => Facts }
const root = fileURLToPath(new URL('../', import.meta.url))
const addons = readdirSync(root).filter((name) => name.endsWith('.node'))

test('the addon needs no library but those of libc and the compiler', (t) => {
  t.true(addons.length > 0)
  for (const name of addons) {
    const { whole, needed, addon } = inspect(join(root, name))
    t.true(whole)
    t.true(addon)
    t.true(needed.includes('libc.so.6'), needed.join(' '))
    const others = needed.filter((library) => !/^(libc|libm|libgcc_s|ld-linux-[\w-]+)\.so\.\d$/.test(library))
    t.deepEqual(others, [])
  }
})

test("the addon carries none of libxdp's BPF programs, whose licence is GPL-2.0", (t) => {
  for (const name of addons) t.is(inspect(join(root, name)).bpfPrograms, 0)
})

test('such a program would be found', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'netring-elf-'))
  const program = Buffer.alloc(64)
  program.write('\x7fELF', 'latin1')
  program.writeUInt16LE(247, 18)
  const file = join(folder, 'with-program')
  writeFileSync(file, Buffer.concat([readFileSync(join(root, addons[0]!)), program]))
  t.is(inspect(file).bpfPrograms, 1)
  rmSync(folder, { recursive: true })
})

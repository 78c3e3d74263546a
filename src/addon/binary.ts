/** ELF files: what is wrong with a binary that the system would run into, not refuse, and what starts a program. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { version } from './version.js'

/** Of an ELF header for 64 bits; offsets of its fields: elf(5). */
const HEADER = 64
const PT_INTERP = 3
const machines: Readonly<Record<string, number>> = { x64: 62, arm64: 183 }

/**
 * Throws where a file is no whole ELF file for this processor. The system maps a file that ends too early all the same, and the
 * process dies of SIGBUS where it touches what is not there: an installation that was cut off would crash whatever imports netring.
 */
export function checkBinary(path: string, arch: string): void {
  const header = Buffer.alloc(HEADER)
  // Without O_NONBLOCK, opening a named pipe would wait for a writer.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stat = fstatSync(file)
    if (!stat.isFile()) throw new Error(`${path} is no file: install netring again`)
    const { size } = stat
    if (readSync(file, header, 0, HEADER, 0) < HEADER || header.toString('latin1', 0, 4) !== '\x7fELF') {
      throw new Error(`${path} (${String(size)} bytes) is no ELF file: install netring again`)
    }
    const machine = header.readUInt16LE(18)
    if (machine !== machines[arch]) {
      const known = Object.keys(machines).find((name) => machines[name] === machine)
      throw new Error(
        `${path} is for ${known ?? `ELF machine ${String(machine)}`}, and this process is ${arch}: install netring on the system it is to run on`,
      )
    }
    // The table of sections is what linkers write last.
    const end = Number(header.readBigUInt64LE(40)) + header.readUInt16LE(58) * header.readUInt16LE(60)
    if (size < end) throw new Error(`${path} has ${String(size)} of ${String(end)} bytes: install netring again`)
  } finally {
    closeSync(file)
  }
}

/** What the system starts a program with, such as /lib64/ld-linux-x86-64.so.2; undefined where that cannot be read. */
export function interpreterOf(path: string): string | undefined {
  try {
    const file = openSync(path, 'r')
    try {
      return readInterpreter(file)
    } finally {
      closeSync(file)
    }
  } catch {
    // Under a permission model, above all. Whoever wants to know has to do without.
    return undefined
  }
}

function readInterpreter(file: number): string | undefined {
  const header = Buffer.alloc(HEADER)
  readSync(file, header, 0, HEADER, 0)
  const [start, size, count] = [Number(header.readBigUInt64LE(32)), header.readUInt16LE(54), header.readUInt16LE(56)]
  const table = Buffer.alloc(size * count)
  readSync(file, table, 0, table.length, start)
  for (let at = 0; at < table.length; at += size) {
    if (table.readUInt32LE(at) !== PT_INTERP) continue
    // It ends with a zero.
    const name = Buffer.alloc(Number(table.readBigUInt64LE(at + 32)) - 1)
    readSync(file, name, 0, name.length, Number(table.readBigUInt64LE(at + 8)))
    return name.toString('latin1')
  }
  return undefined
}

/** Throws where what was loaded is another addon, or that of another version: its functions would not do what is called for. */
export function checkVersion(addon: unknown, path: string): void {
  const { nativeVersion } = addon as { readonly nativeVersion?: () => string }
  const found = nativeVersion?.()
  if (found === version) return
  throw new Error(
    `${path} is ${found === undefined ? 'another addon' : `of netring ${found}`}, and this is netring ${version}: ` +
      'install both anew (remove node_modules first; in a clone, npm run build)',
  )
}

/** A binary that is not whole, or not for this processor, is refused before the system maps it. */
import test from 'ava'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkVersion } from '../../src/addon/binary.js'

const require = createRequire(import.meta.url)
const root = fileURLToPath(new URL('../..', import.meta.url))
const name = `netring.linux-${process.arch}-gnu.node`
const size = readFileSync(join(root, name)).length

/** What a process says that imports netring from a checkout whose binary was changed, and opens a capture. */
function tried(change: (binary: string) => void): { said: string; status: number | null; signal: string | null } {
  const folder = mkdtempSync(join(tmpdir(), 'netring-binary-'))
  try {
    for (const part of ['dist', 'package.json', name]) cpSync(join(root, part), join(folder, part), { recursive: true })
    change(join(folder, name))
    const script = [
      `import { Capture } from ${JSON.stringify(join(folder, 'dist/index.js'))}`,
      "try { Capture.open('no-such-one') } catch (error) { console.log(error.code, error.message) }",
    ].join('\n')
    const { stdout, status, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      timeout: 60_000,
    })
    return { said: stdout, status, signal }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('as it is it loads', (t) => {
  const { said, status } = tried(() => undefined)
  t.regex(said, /^ERR_NETRING_INTERFACE_NOT_FOUND /)
  t.is(status, 0)
})

for (const [what, bytes] of [
  ['half', Math.floor(size / 2)],
  ['all but the last byte', size - 1],
] as const) {
  test(`of which only ${what} was written`, (t) => {
    const { said, status, signal } = tried((binary) => {
      truncateSync(binary, bytes)
    })
    t.is(signal, null, 'it did not die of a signal')
    t.regex(
      said,
      new RegExp(`^ERR_NETRING_UNSUPPORTED .* has ${String(bytes)} of ${String(size)} bytes: install netring again`),
    )
    t.is(status, 0)
  })
}

test('for another processor', (t) => {
  const { said } = tried((binary) => {
    const bytes = readFileSync(binary)
    bytes.writeUInt16LE(process.arch === 'x64' ? 183 : 62, 18)
    writeFileSync(binary, bytes)
  })
  t.regex(said, /^ERR_NETRING_UNSUPPORTED .* is for (arm64|x64), and this process is /)
})

test('that is no binary', (t) => {
  const { said } = tried((binary) => {
    writeFileSync(binary, 'hello')
  })
  t.regex(said, /^ERR_NETRING_UNSUPPORTED .*\(5 bytes\) is no ELF file: install netring again/)
})

test('that is a pipe, which nobody writes into', (t) => {
  const { said } = tried((binary) => {
    rmSync(binary)
    spawnSync('mkfifo', [binary])
  })
  t.regex(said, /^ERR_NETRING_UNSUPPORTED .* is no file: install netring again/)
})

test('of another addon', (t) => {
  const other = require.resolve(`@oxc-node/core-linux-${process.arch}-gnu`)
  const { said } = tried((binary) => {
    cpSync(other, binary)
  })
  t.regex(said, /^ERR_NETRING_UNSUPPORTED .* is another addon, and this is netring \d/)
})

test('of another version', (t) => {
  const native = require(join(root, name)) as { nativeVersion: () => string }
  t.notThrows(() => {
    checkVersion(native, name)
  })
  const { message } = t.throws(() => {
    checkVersion({ nativeVersion: () => '0.0.9' }, name)
  })
  t.regex(message, /is of netring 0\.0\.9, and this is netring \d.*install both anew/)
})

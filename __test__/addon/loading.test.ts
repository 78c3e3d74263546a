/** Where the addon is looked for, and what is said where it cannot be loaded. */
import test from 'ava'
import { inspect } from 'node:util'
import { interpreterOf } from '../../src/addon/binary.js'
import type { Host } from '../../src/addon/host.js'
import { loadAddon } from '../../src/addon/load.js'

const glibc = '/lib64/ld-linux-x86-64.so.2'
const musl = '/lib/ld-musl-x86_64.so.1'
const linux: Host = {
  platform: 'linux',
  arch: 'x64',
  versions: { node: '24.0.0' },
  mainThread: true,
  interpreter: glibc,
}

function failure(properties: { code?: string; name?: string; message?: string; path?: string }): Error {
  return Object.assign(new Error(properties.message ?? 'failed'), properties)
}

const missing = failure({ code: 'MODULE_NOT_FOUND' })

/** Loads on `host` where everything throws what `thrown` says of it. */
function refused(
  host: Host,
  thrown: (name: string) => Error = () => missing,
): { code: string; message: string; cause?: unknown } {
  const { refusal } = loadAddon(host, (name) => {
    throw thrown(name)
  })
  if (refusal === undefined) throw new Error('it was loaded')
  return refusal
}

test('the binary is looked for in the checkout, then in the package, and nowhere else', (t) => {
  const asked: string[] = []
  refused({ ...linux, arch: 'arm64' }, (name) => {
    asked.push(name)
    return missing
  })
  t.deepEqual(asked, ['../../netring.linux-arm64-gnu.node', 'netring-linux-arm64-gnu'])
})

for (const [what, host, words] of [
  ['macOS', { ...linux, platform: 'darwin' }, /this is darwin: it can be imported here, and nothing can be opened/],
  ['Windows', { ...linux, platform: 'win32' }, /this is win32: .*Run it on Linux/],
  ['Electron', { ...linux, versions: { node: '24.0.0', electron: '42.0.0' } }, /Electron forbids external buffers/],
  ['a worker of Deno', { ...linux, versions: { deno: '2.9.0' }, mainThread: false }, /Deno does not free/],
  ['another processor', { ...linux, arch: 'riscv64' }, /no binary of netring for riscv64, only for x64 and arm64/],
] as const) {
  test(`on ${what} nothing is loaded, and why is said`, (t) => {
    const { code, message } = refused(host, (name) => t.fail(name))
    t.is(code, 'ERR_NETRING_UNSUPPORTED')
    t.regex(message, words)
  })
}

test('workers of Node.js and Bun, and the main thread of Deno, load it', (t) => {
  const addon = {}
  for (const host of [
    { ...linux, mainThread: false },
    { ...linux, versions: { bun: '1.4.0' }, mainThread: false },
    { ...linux, versions: { deno: '2.9.0' } },
  ]) {
    t.is(loadAddon(host, () => addon).addon, addon as ReturnType<typeof loadAddon>['addon'])
  }
})

test('a package that is not installed is named, with how to install it', (t) => {
  const { code, message, cause } = refused(linux)
  t.is(code, 'ERR_NETRING_UNSUPPORTED')
  t.regex(message, /no package netring-linux-x64-gnu.*without --omit=optional/)
  t.false(message.includes('Alpine'))
  t.is(cause, missing)
})

test('whatever is thrown, importing throws nothing', (t) => {
  const odd = Object.assign(Object.create(null) as object, { message: 7 })
  for (const thrown of [undefined, null, 'a text', odd]) {
    const { refusal } = loadAddon(linux, () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- it is what is tested
      throw thrown
    })
    t.is(refusal?.message, `netring's binary does not load: ${inspect(thrown)}`)
  }
})

for (const [what, interpreter, names] of [
  ['with glibc', glibc, ['linux-x64-gnu']],
  ['with musl', musl, ['linux-x64-musl']],
  ['that nothing is known of', undefined, ['linux-x64-gnu', 'linux-x64-musl']],
] as const) {
  test(`on a system ${what} its own binary is looked for`, (t) => {
    const asked: string[] = []
    const { message } = refused({ ...linux, interpreter }, (name) => {
      asked.push(name)
      return missing
    })
    t.deepEqual(
      asked,
      names.flatMap((name) => [`../../netring.${name}.node`, `netring-${name}`]),
    )
    t.true(message.includes(`no package netring-${names[0]} that`), message)
  })
}

test('on musl on arm64 there is no binary, and an image with glibc is what helps', (t) => {
  const { message } = refused({ ...linux, arch: 'arm64', interpreter: musl }, (name) => t.fail(name))
  t.regex(message, /no binary of netring for musl on arm64.*an image with glibc/)
  t.false(message.includes('netring-linux'), 'a package of that name would be anybody’s')
})

test('of this process it is known', (t) => {
  t.regex(interpreterOf(process.execPath) ?? '', /^\/.*ld-/)
  t.is(interpreterOf('/nowhere'), undefined)
  t.is(interpreterOf('/dev/null'), undefined)
})

for (const [what, thrown, code, words] of [
  [
    '--permission',
    { code: 'ERR_DLOPEN_DISABLED' },
    'ERR_NETRING_PERMISSION',
    /--allow-addons, and for a FanoutPool with --allow-worker/,
  ],
  ['a folder that must not be read', { code: 'ERR_ACCESS_DENIED' }, 'ERR_NETRING_PERMISSION', /--allow-fs-read/],
  ['Deno without --allow-ffi', { name: 'NotCapable' }, 'ERR_NETRING_PERMISSION', /--allow-ffi and --allow-read/],
  [
    'an old glibc',
    { code: 'ERR_DLOPEN_FAILED', message: "libc.so.6: version `GLIBC_2.17' not found" },
    'ERR_NETRING_UNSUPPORTED',
    /C library of this system is too old.*GLIBC_2\.17/,
  ],
  [
    'a file system without programs',
    { code: 'ERR_DLOPEN_FAILED', message: '/n/netring.node: failed to map segment from shared object' },
    'ERR_NETRING_PERMISSION',
    /mounted noexec\?.*failed to map segment/,
  ],
  ['CommonJS made by a bundler', { code: 'ERR_INVALID_ARG_VALUE' }, 'ERR_NETRING_UNSUPPORTED', /mark it as external/],
  [
    'a package whose binary was removed',
    { code: 'MODULE_NOT_FOUND', path: '/node_modules/netring-linux-x64-gnu/package.json' },
    'ERR_NETRING_UNSUPPORTED',
    /binary is gone from its package: install again/,
  ],
  ['a broken file', { message: 'file too short' }, 'ERR_NETRING_UNSUPPORTED', /does not load: file too short/],
] as const) {
  test(`${what} is told by its code and with what to do`, (t) => {
    const error = failure(thrown)
    const refusal = refused(linux, (name) => (name === 'netring-linux-x64-gnu' ? error : missing))
    t.is(refusal.code, code)
    t.regex(refusal.message, words)
    t.is(refusal.cause, error)
  })
}

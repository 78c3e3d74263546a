/** Test runners load modules in vm contexts, whose Error is not the one that the addon throws. */
import test from 'ava'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Loads the package in a vm context, and says what opening nothing throws there. */
const script = `
import { readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import vm from 'node:vm'
const context = vm.createContext({ console, process, Buffer, setTimeout, clearTimeout, AbortSignal, URL, queueMicrotask })
const modules = new Map()
async function builtin(name) {
  const exports = await import(name)
  return new vm.SyntheticModule(Object.keys(exports), function () {
    for (const [key, value] of Object.entries(exports)) this.setExport(key, value)
  }, { context })
}
function fromFile(url) {
  if (!modules.has(url)) {
    const initializeImportMeta = (meta) => { meta.url = url }
    modules.set(url, new vm.SourceTextModule(readFileSync(new URL(url), 'utf8'), { context, identifier: url, initializeImportMeta }))
  }
  return modules.get(url)
}
const main = fromFile(process.argv[1])
await main.link((name, from) => (isBuiltin(name) ? builtin(name) : fromFile(new URL(name, from.identifier).href)))
await main.evaluate()
const { Capture, NetringError } = main.namespace
try {
  Capture.open('no-such-one')
} catch (error) {
  console.log(error instanceof NetringError, error instanceof Error, error.code, error.interface, error.message)
}
`

test('errors are NetringErrors in a vm context too', (t) => {
  const { href } = new URL('../../dist/index.js', import.meta.url)
  const flags = ['--experimental-vm-modules', '--no-warnings', '--input-type=module']
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, '-e', script, href], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    encoding: 'utf8',
    timeout: 60_000,
  })
  t.is(stderr, '')
  t.regex(stdout, /^true false ERR_NETRING_INTERFACE_NOT_FOUND no-such-one no interface /)
})

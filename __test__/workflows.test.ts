/** The workflows run what is here, from actions that cannot be exchanged, with the least rights. */
import test from 'ava'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const files = readdirSync(join(root, '.github'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.yml'))
  .map((name) => join('.github', name))
const text = (file: string): string => readFileSync(join(root, file), 'utf8')
const workflows = files.filter((file) => file.startsWith('.github/workflows/'))

/** What stands behind a key, wherever it is in a file. */
function values(file: string, key: string): string[] {
  return [...text(file).matchAll(new RegExp(`^[ -]*${key}: *(.+)$`, 'gm'))].map(([, value]) => value!.trim())
}

test('there are workflows for every change, every night and every release', (t) => {
  t.deepEqual(workflows.map((file) => file.split('/').at(-1)).toSorted(), ['ci.yml', 'nightly.yml', 'release.yml'])
})

test('every action is pinned by its commit, with its version beside it, everywhere the same', (t) => {
  const pinned = new Map<string, string>()
  for (const file of files) {
    for (const action of values(file, 'uses')) {
      if (action.startsWith('./')) {
        t.true(existsSync(join(root, action)), `${file}: ${action}`)
        continue
      }
      const [, name = '', pin = ''] = /^([\w.-]+\/[\w./-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)$/.exec(action) ?? []
      t.not(pin, '', `${file}: ${action}`)
      t.is(pinned.get(name) ?? pin, pin, `${file}: ${name}`)
      pinned.set(name, pin)
    }
  }
  t.true(pinned.size > 0)
})

test('every npm script that a workflow runs is one', (t) => {
  const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> }
  const named = files.flatMap((file) => {
    return [...text(file).matchAll(/\bnpm (?:run ([\w:-]+)|(test))/g)].map(([, run, own]) => run ?? own!)
  })
  t.true(named.length > 0)
  t.deepEqual(
    [...new Set(named)].filter((name) => !(name in scripts)),
    [],
  )
})

test('no job may write, except the one that publishes, which may show who it is', (t) => {
  for (const file of workflows) {
    const writes = [...text(file).matchAll(/^ *([\w-]+: *write(?:-all)?)\b/gm)].map(([, right]) => right)
    t.deepEqual(writes, file.endsWith('/release.yml') ? ['id-token: write'] : [], file)
    t.regex(text(file), /^permissions:\n {2}contents: read\n\n/m, file)
    // All permissions are in the lines above: {} and [] on one line would hide some from them.
    t.notRegex(text(file), /permissions: *\S/, file)
    t.notRegex(text(file), /pull_request_target|\bsecrets\b/, file)
  }
  const [before = '', publish = ''] = text('.github/workflows/release.yml').split(/^ {2}publish:$/m)
  t.notRegex(before, /id-token/)
  t.regex(publish, /id-token: write/)
})

test('every checkout leaves no credentials behind', (t) => {
  for (const file of files) {
    const checkouts = text(file).match(/uses: actions\/checkout@.*\n.*/g) ?? []
    for (const checkout of checkouts) t.regex(checkout, /persist-credentials: false/, file)
  }
})

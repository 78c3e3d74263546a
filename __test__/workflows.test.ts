/** The workflows run what is here, and may do what this project lets them: what any project's should not, zizmor looks for (npm run check:supply). */
import test from 'ava'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

const root = fileURLToPath(new URL('..', import.meta.url))
const files = readdirSync(join(root, '.github'), { recursive: true, encoding: 'utf8' })
  .filter((name) => /^(workflows|actions)\/.+\.ya?ml$/.test(name))
  .map((name) => join('.github', name))
const text = (file: string): string => readFileSync(join(root, file), 'utf8')
const workflows = files.filter((file) => file.startsWith('.github/workflows/'))

/** A key of a file, at any depth and however it is quoted, spaced or broken into lines. */
interface Entry {
  readonly key: string
  readonly value: unknown
  /** What it stands in, and by which keys that is reached from the file's root on. */
  readonly parent: Record<string, unknown>
  readonly path: string
}

function entries(value: unknown, path = ''): Entry[] {
  if (typeof value !== 'object' || value === null) return []
  const parent = value as Record<string, unknown>
  return Object.entries(parent).flatMap(([key, below]) => {
    const here = path ? `${path}.${key}` : key
    return [{ key, value: below, parent, path: here }, ...entries(below, here)]
  })
}

/** What one workflow, or one action, may do beyond reading the code and running it, and what it knows: a line for each. */
function faultsOf(source: string): string[] {
  const all = entries(parse(source))
  return [...rights(all), ...secrets(all)]
}

function rights(all: Entry[]): string[] {
  return all
    .filter(({ key }) => key === 'permissions')
    .flatMap(({ value, path }) => {
      if (typeof value !== 'object' || value === null) return [`${path}: ${String(value)}`]
      return Object.entries(value).map(([name, right]) => `${path}.${name}: ${right}`)
    })
    .filter((right) => !right.endsWith('.contents: read'))
}

function secrets(all: Entry[]): string[] {
  return all
    .filter(({ key, value }) => {
      const token = /\bsecrets\b|\bgithub\W+token\b|github_token|tojson\(\s*github\b/i
      return key === 'secrets' || (typeof value === 'string' && token.test(value))
    })
    .map(({ path }) => `${path} asks for a secret`)
}

test('there are workflows for every change, every night and every release', (t) => {
  t.deepEqual(workflows.map((file) => file.split('/').at(-1)).toSorted(), ['ci.yml', 'nightly.yml', 'release.yml'])
})

test('every action has its version beside its commit, everywhere the same', (t) => {
  const pinned = new Map<string, string>()
  for (const file of files) {
    // A comment, which parsing does not keep.
    for (const [, name = '', pin = ''] of text(file).matchAll(/uses: ([\w.-]+\/[\w./-]+)@(.*)$/gm)) {
      t.regex(pin, /^[0-9a-f]{40} # v\d+\.\d+\.\d+$/, `${file}: ${name}`)
      t.is(pinned.get(name) ?? pin, pin, `${file}: ${name}`)
      pinned.set(name, pin)
    }
  }
  t.true(pinned.size > 0)
})

test('every step runs something or uses an action, and only an action is given inputs', (t) => {
  for (const file of files) {
    const steps = entries(parse(text(file))).flatMap(({ key, value }) => (key === 'steps' ? (value as object[]) : []))
    t.true(steps.length > 0, file)
    for (const step of steps) {
      const kinds = ['run', 'uses'].filter((kind) => kind in step)
      t.is(kinds.length, 1, `${file}: ${JSON.stringify(step)}`)
      if ('with' in step) t.deepEqual(kinds, ['uses'], `${file}: ${JSON.stringify(step)}`)
    }
  }
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

test('no job may write or knows a secret, except the one that publishes, which may show who it is', (t) => {
  for (const file of files) {
    const publishing = file.endsWith('/release.yml') ? ['jobs.publish.permissions.id-token: write'] : []
    t.deepEqual(faultsOf(text(file)), publishing, file)
  }
  for (const file of workflows) {
    const { permissions } = parse(text(file)) as { permissions: unknown }
    t.deepEqual(permissions, { contents: 'read' }, file)
  }
})

test('what is published has been checked, and nothing is installed or built beside the right to publish', (t) => {
  const { jobs } = parse(text('.github/workflows/release.yml')) as {
    jobs: Record<string, { needs?: string; uses?: string; steps?: { run?: string }[] }>
  }
  t.is(jobs.publish?.needs, 'ci')
  t.is(jobs.ci?.needs, 'check')
  t.is(jobs.ci?.uses, './.github/workflows/ci.yml')
  // By then nothing has run there that does not come by a checksum.
  const { jobs: ci } = parse(text('.github/workflows/ci.yml')) as {
    jobs: Record<string, { steps: { run?: string }[] }>
  }
  t.deepEqual(
    ci.prebuild?.steps.flatMap(({ run }) => run ?? []),
    ['sudo env "PATH=$PATH" CI=1 npm run prebuild', 'npm run build:ts'],
  )
  const uploading = Object.entries(ci).filter(([, job]) => JSON.stringify(job).includes('actions/upload-artifact@'))
  t.deepEqual(
    uploading.map(([name]) => name),
    ['prebuild'],
  )
  const lines = jobs.publish?.steps?.flatMap(({ run }) => run ?? [])
  t.deepEqual(lines, ['npm run publish:packages -- "$GITHUB_REF_NAME"'])
})

const harmless = `on: [push]\njobs: { a: { permissions: { contents: read }, steps: [{ run: 'true' }] } }\n`

for (const [what, more] of [
  ['a right that is written', 'permissions: { contents: write }'],
  ['a right on the next line', 'permissions:\n  { packages: write }'],
  ['a blank before the colon', 'permissions :\n  actions: write'],
  ['a key in quotes', '"permissions":\n  actions: write'],
  ['a right in quotes', 'permissions:\n  contents: "write"'],
  ['all rights', 'permissions: write-all'],
  ['the rights that a repository gives by itself', 'permissions:'],
  ['a secret', 'env: { A: "${{ SECRETS.A }}" }'],
  ['every secret', 'b: { secrets: inherit }'],
  ['the token', 'env: { A: "${{ github.token }}" }'],
  ['the token by another way', `env: { A: "\${{ github['token'] }}" }`],
  ['all that there is', 'env: { A: "${{ toJSON(github) }}" }'],
] as const) {
  test(`${what} is found`, (t) => {
    t.deepEqual(faultsOf(harmless), [])
    t.is(faultsOf(`${harmless}${more}\n`).length, 1)
  })
}

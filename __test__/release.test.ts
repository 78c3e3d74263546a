/** What keeps a release back. */
import test from 'ava'
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const release = '../scripts/release.mjs'
const { distributionTag, problems } = (await import(release)) as {
  distributionTag: (version: string) => string[]
  problems: (tag: string | undefined, project: string) => string[]
}
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
const repository = { type: 'git', url: 'git+https://host.invalid/owner/netring.git' }
const platforms = ['linux-arm64-gnu', 'linux-x64-gnu', 'linux-x64-musl']
const manifests = ['package.json', ...platforms.map((name) => `npm/${name}/package.json`)]

/** Gives `use` a copy of parts of this project, which has a repository and a change to tell of. */
function copied(parts: readonly string[], use: (project: string) => void): void {
  const project = mkdtempSync(join(tmpdir(), 'netring-release-'))
  try {
    for (const part of parts) {
      mkdirSync(dirname(join(project, part)), { recursive: true })
      cpSync(join(root, part), join(project, part), { recursive: true })
    }
    for (const file of manifests) {
      const manifest = JSON.parse(readFileSync(join(root, file), 'utf8')) as object
      writeFileSync(join(project, file), JSON.stringify({ ...manifest, repository }))
    }
    writeFileSync(join(project, 'CHANGELOG.md'), `# Changes\n\n## ${version}\n`)
    use(project)
  } finally {
    rmSync(project, { recursive: true })
  }
}

function edit(file: string, from: string, to: string): void {
  const before = readFileSync(file, 'utf8')
  const after = before.replace(from, to)
  if (after === before) throw new Error(`${file} has no ${from}`)
  writeFileSync(file, after)
}

test('every place that names a version, a repository or a change has to name the same', (t) => {
  const parts = ['Cargo.toml', 'src/addon/version.ts', ...manifests]
  copied(parts, (project) => {
    t.deepEqual(problems(undefined, project), [])
    t.deepEqual(problems(`v${version}`, project), [])
    t.is(problems('v99.0.0', project).length, 1)
  })
  for (const [file, from] of [
    ['Cargo.toml', `version = "${version}"`],
    ['CHANGELOG.md', `## ${version}`],
    ['src/addon/version.ts', version],
    ['npm/linux-x64-gnu/package.json', version],
    ['npm/linux-arm64-gnu/package.json', version],
    ['npm/linux-x64-musl/package.json', version],
    ['npm/linux-arm64-gnu/package.json', 'owner'],
  ] as const) {
    copied(parts, (project) => {
      edit(join(project, file), from, 'other')
      const found = problems(undefined, project)
      t.is(found.length, 1, `${file}: ${found.join()}`)
    })
  }
})

test('what has no repository cannot be released', (t) => {
  copied(['Cargo.toml', 'src/addon/version.ts', ...manifests], (project) => {
    edit(join(project, 'package.json'), JSON.stringify(repository.url), '7')
    edit(join(project, 'package.json'), '"repository"', '"repo"')
    t.regex(problems(undefined, project).join(), /names no repository/)
  })
})

test('a prerelease is not what everybody gets, and npm is not told to take an older version for the latest', (t) => {
  t.deepEqual(distributionTag('1.2.3'), [])
  t.deepEqual(distributionTag('1.2.3+build-7'), [])
  t.deepEqual(distributionTag('1.2.3-rc.1'), ['--tag', 'next'])
})

test('of packages that hold what they should not nothing is published', (t) => {
  const parts = ['scripts', 'dist', 'npm', 'src', 'index.d.ts', 'Cargo.toml', '.npmrc']
  const texts = ['README.md', 'CHANGELOG.md', 'SECURITY.md', 'LICENSE-MIT', 'LICENSE-APACHE', 'THIRD-PARTY.md']
  copied([...parts, ...texts.filter((file) => existsSync(join(root, file)))], (project) => {
    for (const name of platforms) {
      writeFileSync(join(project, 'npm', name, `netring.${name}.node`), 'no binary, but it may be packed')
    }
    writeFileSync(join(project, 'dist', 'stray.txt'), '')
    writeFileSync(join(project, 'dist', 'formerly.js'), '')
    appendFileSync(join(project, 'dist', 'index.js'), `// ${project}/src/index.ts`)
    writeFileSync(join(project, 'npm', 'linux-x64-gnu', 'netring.linux-x64-gnu.node'), 'at /.cargo/registry/src')
    const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/publish.mjs', '--dry-run'], {
      cwd: project,
      encoding: 'utf8',
      timeout: 90_000,
    })
    const told = (stdout + stderr).split('\n').filter(Boolean)
    t.is(status, 1)
    t.is(told.pop(), 'netring: nothing has been published: see above')
    const faults = [
      /dist\/index\.js of netring contains a path of this machine/,
      /dist\/formerly\.js of netring has no source: remove dist$/,
      /netring contains dist\/stray\.txt$/,
      /netring\.linux-x64-gnu\.node of netring-linux-x64-gnu contains a path of this machine: \/\.cargo\/registry\/src$/,
      /netring\.linux-x64-gnu\.node of netring-linux-x64-gnu: it is no ELF file, or is cut off at 23 bytes$/,
      /netring\.linux-x64-musl\.node of netring-linux-x64-musl: it is no ELF file, or is cut off at 31 bytes$/,
      /netring\.linux-arm64-gnu\.node of netring-linux-arm64-gnu: it is no ELF file, or is cut off at 31 bytes$/,
    ]
    t.is(told.length, faults.length, told.join('\n'))
    for (const fault of faults)
      t.true(
        told.some((line) => fault.test(line)),
        String(fault),
      )
  })
})

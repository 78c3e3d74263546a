/** What a release is checked by: the checks themselves. */
import test from 'ava'
import { readdirSync, readFileSync } from 'node:fs'
import { binariesFor } from '../src/addon/host.js'

interface Tally {
  passed: number
  readonly failed: string[]
  line(text: string, stream: string): void
  end(name: string, status: number): void
}

const tarballs = '../scripts/pack/tarballs.mjs'
const elf = '../scripts/prebuild/elf.mjs'
const targetList = '../scripts/prebuild/targets.mjs'
const { targets } = (await import(targetList)) as { targets: readonly Target[] }
const apt = '../scripts/machine/apt.mjs'
const tally = '../scripts/test/tally.mjs'
const { manifestFaults } = (await import(tarballs)) as {
  manifestFaults: (manifest: object, paths: readonly string[]) => string[]
}
const { faults: binaryFaults } = (await import(elf)) as { faults: (facts: object, target: Target) => string[] }
const { sources } = (await import(apt)) as {
  sources: (targets: readonly string[], release?: string) => string[]
}
const { TapTally } = (await import(tally)) as { TapTally: new () => Tally }

interface Manifest {
  readonly name: string
  readonly main: string
  readonly [key: string]: unknown
}

interface Target {
  readonly name: string
  readonly rust: string
  readonly machine: string
  readonly libraries: readonly string[]
  readonly largestPage: number
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(new URL(`../npm/${folder}/package.json`, import.meta.url), 'utf8')) as Manifest
}

for (const folder of ['linux-x64-gnu', 'linux-arm64-gnu', 'linux-x64-musl']) {
  test(`${folder}: a manifest that would keep the package from where it belongs is found`, (t) => {
    const manifest = manifestOf(folder)
    const paths = ['package.json', 'README.md', 'LICENSE-MIT', 'LICENSE-APACHE', 'THIRD-PARTY.md', manifest.main]
    t.deepEqual(manifestFaults(manifest, paths), [])
    const wrong = { cpu: ['riscv64'], os: ['darwin'], libc: ['other'], main: 'other.node', version: '9.9.9' }
    for (const [key, value] of Object.entries(wrong)) {
      const faults = manifestFaults({ ...manifest, [key]: value }, paths)
      t.is(faults.length, 1, key)
      t.true(faults[0]?.startsWith(`netring-${folder}: ${key} is`))
    }
    for (const path of paths) {
      t.deepEqual(
        manifestFaults(
          manifest,
          paths.filter((other) => other !== path),
        ),
        [`netring-${folder} lacks ${path}`],
      )
    }
  })
}

test('an emulated machine is made of packages from where this one has them, or from Debian', (t) => {
  const debian = 'Debian|http://mirror.invalid/debian/|trixie|main|$(SIGNED_BY)'
  t.deepEqual(
    sources([debian, debian, 'Debian|http://mirror.invalid/debian/|trixie|contrib|/k.gpg', 'Other|http://o|x|main|']),
    ['deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.invalid/debian/ trixie main'],
  )
  t.deepEqual(sources(['Debian|http://mirror.invalid/debian/|trixie|main|/k.gpg']), [
    'deb [signed-by=/k.gpg] http://mirror.invalid/debian/ trixie main',
  ])
  t.deepEqual(sources([debian, debian.replace('trixie', 'trixie-updates')], 'forky'), [
    'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.invalid/debian/ forky main',
  ])
  for (const none of [[''], ['Ubuntu|http://mirror.invalid/ubuntu/|noble|main|/k.gpg']]) {
    t.regex(
      sources(none).join(),
      /^deb \[signed-by=\/usr\/share\/keyrings\/debian-archive-keyring\.gpg\] \S+ bookworm main$/,
    )
  }
})

test('every place that lists the targets lists the same', (t) => {
  const names = targets.map(({ name }) => name).toSorted()
  const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
  const linux = { platform: 'linux', versions: {}, mainThread: true }
  const looked = ['x64', 'arm64'].flatMap((arch) => [
    ...binariesFor({ ...linux, arch, interpreter: '/lib64/ld-linux.so' }),
    ...binariesFor({ ...linux, arch, interpreter: '/lib/ld-musl.so' }),
  ])
  t.deepEqual(looked.toSorted(), names, 'what the loader looks for')
  t.deepEqual(readdirSync(new URL('../npm', import.meta.url)).toSorted(), names, 'npm/')
  const triples = targets.map(({ rust }) => rust).toSorted()
  const { napi } = JSON.parse(read('package.json')) as { napi: { targets: string[] } }
  t.deepEqual(napi.targets.toSorted(), triples, 'package.json')
  for (const file of ['deny.toml', 'scripts/notice/crates.mjs']) {
    const [, list = ''] = /^(?:const )?targets = \[(.+)\]$/m.exec(read(file)) ?? []
    t.deepEqual(
      list
        .split(', ')
        .map((triple) => triple.slice(1, -1))
        .toSorted(),
      triples,
      file,
    )
  }
})

for (const target of targets) {
  test(`${target.name}: a binary that would not load everywhere is found`, (t) => {
    const facts = {
      bytes: 3_000_000,
      whole: true,
      machine: target.machine,
      needed: [...target.libraries, 'libpthread.so.0'],
      bpfPrograms: 0,
      glibc: [2, 17],
      stripped: true,
      alignment: target.largestPage,
      unversioned: [],
      addon: true,
    }
    t.deepEqual(binaryFaults(facts, target), [])
    for (const wrong of [
      { whole: false },
      { machine: 'RISC-V' },
      { needed: [target.libraries[0], 'libelf.so.1'] },
      { needed: [] },
      { bpfPrograms: 2 },
      { glibc: [2, 18] },
      { glibc: [3, 0] },
      { stripped: false },
      { alignment: target.largestPage / 2 },
      { unversioned: ['GLIBC_ABI_DT_RELR'] },
      { addon: false },
    ]) {
      t.is(binaryFaults({ ...facts, ...wrong }, target).length, 1, JSON.stringify(wrong))
    }
  })
}

test('optional dependencies that bring no binary, or another one, are found', (t) => {
  const { version } = manifestOf('linux-x64-gnu') as unknown as { version: string }
  const paths = ['package.json', 'README.md', 'LICENSE-MIT', 'LICENSE-APACHE', 'THIRD-PARTY.md', 'index.d.ts']
  paths.push('dist/index.js', 'dist/index.d.ts')
  const x64 = { 'netring-linux-x64-gnu': version }
  const all = { ...x64, 'netring-linux-arm64-gnu': version, 'netring-linux-x64-musl': version }
  const faults = (optionalDependencies: unknown): number =>
    manifestFaults({ name: 'netring', version, optionalDependencies }, paths).length
  t.is(faults(all), 0)
  for (const wrong of [undefined, {}, x64, { ...all, 'netring-linux-arm64-gnu': '^0.1.0' }]) t.is(faults(wrong), 1)
})

test('a TAP line that is lost is a failure', (t) => {
  const told = (...lines: string[]): string[] => {
    const reader = new TapTally()
    for (const line of lines) reader.line(line, 'stdout')
    reader.end('checks', 0)
    return reader.failed
  }
  t.deepEqual(told('ok 1 - a', 'ok 2 - b', '1..2'), [])
  t.deepEqual(told('ok 1 - a', '[ 12.3] a kernel says not ok 2 - b', '1..2'), [
    'checks told of 1 tests of 2 and ended with 0',
  ])
  t.deepEqual(told('ok 1 - a'), ['checks told of 1 tests of no plan and ended with 0'])
})

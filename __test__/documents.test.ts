/** What documents say of the code is so: tables, codes, commands, links. That their examples compile is for docs.test.ts. */
import test from 'ava'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { captureDefaults, profiles } from '../src/capture/options.js'
import { advise } from '../src/errors/advice.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

function filesIn(folder: string, end: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(end) && !name.startsWith('reference'))
    .sort()
    .map((name) => join(folder, name))
}

/** Every document that people read, whatever is added to docs/. */
const documents = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'benchmark/README.md', ...filesIn('docs', '.md')]

/** The cells of a table's rows that begin with code, without its backticks. */
function rows(text: string, heading: string): string[][] {
  const [, section = ''] = text.split(`\n## ${heading}\n`)
  return [...section.split('\n## ')[0]!.matchAll(/^\| `.*\|$/gm)].map(([row]) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim().replaceAll('`', '')),
  )
}

const units: Record<string, number> = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }

function bytes(text: string): number {
  const [, value, unit = ''] = /^(\d+) ?(\w*)$/.exec(text) ?? []
  return Number(value) * units[unit]!
}

test('the table of profiles in docs/tuning.md is what the code has', (t) => {
  const said = rows(read('docs/tuning.md'), 'Profiles').map(([name, ...cells]) => [
    name,
    ...cells.slice(0, 5).map(bytes),
  ])
  const is = Object.entries(profiles).map(([name, changes]) => {
    const { blockSize, blockCount, blockTimeoutMs, frameSize } = { ...captureDefaults, ...changes }
    return [name, blockSize, blockCount, blockTimeoutMs, frameSize, blockSize * blockCount]
  })
  t.deepEqual(said, is)
})

test('docs/troubleshooting.md has every error code under a heading of its own, and no other', (t) => {
  const [, union = ''] = read('src/errors/netring-error.ts').split('export type NetringErrorCode =')
  const codes = [...union.split('\n\n')[0]!.matchAll(/'(ERR_NETRING_\w+)'/g)].map(([, code]) => code!)
  t.true(codes.length > 10)
  const headings = [...read('docs/troubleshooting.md').matchAll(/^### (ERR_NETRING_\w+)$/gm)].map(([, code]) => code!)
  t.deepEqual(headings.toSorted(), codes.toSorted())
})

test('docs/troubleshooting.md has every warning, with its words', (t) => {
  const sources = filesIn('src', '.ts').map(read)
  const codes = new Set(sources.flatMap((text) => text.match(/'NETRING_\w+'/g) ?? []).map((code) => code.slice(1, -1)))
  const warnings = rows(read('docs/troubleshooting.md'), 'Warnings')
  t.deepEqual(warnings.map(([code]) => code).toSorted(), [...codes].toSorted())
  for (const [code, words = ''] of warnings)
    t.true(
      sources.some((text) => text.includes(`'${words}'`)),
      code,
    )
})

test('messages of the core that docs/troubleshooting.md quotes are those that it gives', (t) => {
  const core = filesIn('crates/netring/src', '.rs').map(read).join('\n')
  // As users of JavaScript read them.
  const sources = advise(core, 'xdp')
  const quoted = [
    'cannot open a packet socket',
    'which also needs CAP_SYS_ADMIN',
    `that of a process with other rights than this one's also needs CAP_SYS_PTRACE`,
    'XDP needs CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF in the first user namespace',
    'no such network namespace',
    'it is no network namespace',
    'ask for a smaller blockSize or blockCount',
    'they are locked in memory: raise `ulimit -l` (RLIMIT_MEMLOCK)',
    'hugePages needs pages set aside: `sysctl vm.nr_hugepages`',
    'another AF_XDP socket has it',
    'it has no such queue (`ethtool -l` counts them)',
    `its driver has no zero-copy: use zeroCopy 'auto'`,
    'all members of a group need the same mode, flags and interface',
    'the classic BPF program is not valid',
    'is not an eBPF program of type BPF_PROG_TYPE_SOCKET_FILTER',
    'its driver may have no XDP, or not with this MTU or number of queues',
    'wait again, this capture goes on when it is up',
    'close this capture and open another',
    'open the injector with a larger frameSize',
    'again and again although no other waits',
    'what was left of the block is lost',
  ]
  const text = read('docs/troubleshooting.md').replaceAll(/\s+/g, ' ')
  const said = sources.replaceAll(/\\?\n\s*/g, '').replaceAll('{object}', 'capture')
  for (const words of quoted) {
    t.true(text.includes(words), `the document: ${words}`)
    t.true(sources.includes(words) || said.includes(words), `the code: ${words}`)
  }
})

test('npm scripts and files that documents tell to run are there', (t) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  for (const file of documents) {
    const text = read(file)
    for (const [, name = ''] of text.matchAll(/npm run(?: --?[\w-]+)* ([a-z][\w:-]*)/g))
      t.true(name in scripts, `${file}: npm run ${name}`)
    for (const [, path = ''] of text.matchAll(/\bnode ((?:scripts|benchmark|examples)\/[\w./-]+)/g))
      t.true(existsSync(join(root, path)), `${file}: node ${path}`)
  }
})

test('files and folders of the project that documents name are there', (t) => {
  let named = 0
  for (const file of documents) {
    for (const [, path = ''] of read(file).matchAll(
      /`((?:src|crates|scripts|benchmark|__test__|docs|examples)\/[\w./-]+)`/g,
    )) {
      // What is made, and not kept.
      if (/\/(reference|bin|target|corpus|node_modules|NAME)\b/.test(path)) continue
      named++
      // A program in C is named as it runs.
      t.true(existsSync(join(root, path)) || existsSync(join(root, `${path}.c`)), `${file}: ${path}`)
    }
  }
  t.true(named > 50)
})

test('links between documents lead to files and headings that are there', (t) => {
  for (const file of documents) {
    // Not in code, where brackets and parentheses are JavaScript.
    const text = read(file)
      .replaceAll(/^```[\s\S]*?^```$/gm, '')
      .replaceAll(/`[^`\n]*`/g, '')
    for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? file : normalize(join(dirname(file), path))
      // Made by `npm run docs:api`, and not kept.
      if (target.startsWith('docs/reference/')) continue
      if (!t.true(existsSync(join(root, target)), `${file}: ${link}`)) continue
      if (anchor !== undefined) t.true(anchors(read(target)).includes(anchor), `${file}: ${link}`)
    }
  }
})

/** What GitHub makes of headings. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

test('README.md leads to every document', (t) => {
  const text = read('README.md')
  for (const file of filesIn('docs', '.md')) t.true(text.includes(`](${file})`) || text.includes(`](${file}#`), file)
})

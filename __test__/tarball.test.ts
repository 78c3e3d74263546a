/** What `npm pack` makes of a clone, installed where nothing else is. */
import test, { type ExecutionContext } from 'ava'
import { execFileSync, spawnSync } from 'node:child_process'
import { appendFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { network } from './helpers/network.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const tarballs = '../scripts/pack/tarballs.mjs'
const { linkFaults } = (await import(tarballs)) as { linkFaults: (contents: string) => string[] }
const binary = `netring.linux-${process.arch}-gnu.node`

/** A folder of the test's own. */
function temporary(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'netring-tarball-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true })
  })
  return folder
}

function npm(cwd: string, ...args: string[]): string {
  return execFileSync('npm', [...args, '--offline', '--loglevel=error'], { cwd, encoding: 'utf8' }).trim()
}

/** Packs a clone and installs what that gives in an empty project; where it is there. */
function installed(t: ExecutionContext, clone: string): { project: string; contents: string } {
  const project = temporary(t)
  const tarball = npm(clone, 'pack', '--pack-destination', project)
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  npm(project, 'install', '--no-audit', '--no-fund', `./${tarball}`)
  return { project, contents: join(project, 'node_modules', 'netring') }
}

/** What a program of that project prints, which opens a capture. */
function opened(project: string, name: string, netns: string): string {
  const program = `
    import { Capture } from 'netring'
    try {
      const capture = Capture.open(${JSON.stringify(name)}, { netns: ${JSON.stringify(netns)}, profile: 'lowMemory' })
      capture.close()
      console.log('opened and closed')
    } catch (error) {
      console.log(error.code, error.message)
    }`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: project,
    encoding: 'utf8',
  })
  return (stdout + stderr).trim()
}

test('the tarball of a clone that was built opens a capture, and its README leads to nothing that is not in it', (t) => {
  const { a } = network(t)
  const { project, contents } = installed(t, root)
  t.is(opened(project, a.name, a.netns), 'opened and closed')
  t.deepEqual(linkFaults(contents), [])
  appendFileSync(join(contents, 'README.md'), '[more](docs/nowhere.md#here) and [elsewhere](https://host.invalid/)\n')
  t.deepEqual(linkFaults(contents), ['README.md leads to docs/nowhere.md, which is not packed'])
})

test('the tarball of a clone without a binary says what to do', (t) => {
  const { a } = network(t)
  const clone = temporary(t)
  for (const part of ['package.json', '.npmrc', 'README.md', 'dist', 'index.d.ts']) {
    cpSync(join(root, part), join(clone, part), { recursive: true })
  }
  const { project, contents } = installed(t, clone)
  const said = opened(project, a.name, a.netns)
  t.regex(said, /^ERR_NETRING_UNSUPPORTED .*from a clone that holds no netring\.linux-\w+-gnu\.node\. On the system/)
  t.regex(said, /run `npm run build` in the clone, and pack it again\.$/)
  // It is looked for where a clone that was built would have put it.
  cpSync(join(root, binary), join(contents, binary))
  t.is(opened(project, a.name, a.netns), 'opened and closed')
})

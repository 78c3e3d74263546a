/** The checks of `npm run pack:check`, on what scripts/pack-check.mjs has packed and installed: the file that it names says where. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { makeNetwork } from '../../testkit/consumer/network.mjs'
import { disableIpv6, netnsOf } from '../../testkit/network.mjs'
import { platformPackages } from '../release.mjs'
import { root, say } from '../run.mjs'
import { suite } from '../test/suite.mjs'
import { muslNode } from '../runtimes/musl.mjs'
import { StepTally, Tally, TapTally } from '../test/tally.mjs'
import { attempt, refused } from './attempt.mjs'
import { bundleChecks } from './bundles.mjs'
import { permissionChecks } from './permissions.mjs'
import { hidden, installScripts, platformsIn } from './project.mjs'
import { runtimes } from './runtimes.mjs'
import { describe, faultsOf, linkFaults } from './tarballs.mjs'
import { typeChecks } from './types.mjs'

const [packed] = process.argv.slice(2)
const { tarballs, project, bare, ...others } = JSON.parse(readFileSync(packed, 'utf8'))
const options = { cwd: project, env: hidden(project), timeoutMs: 3 * 60_000 }
const checks = 'testkit/consumer/main.mjs'
const total = new Tally()

/** Something that is right when there is nothing to say against it. */
function step(name, faults) {
  console.log(`${faults.length === 0 ? 'ok' : 'not ok'} - ${name}`)
  for (const fault of faults) say(fault)
  total.step(name, faults.length === 0)
}

/** npm goes by what the manifests say of processors and C libraries. */
function selected(flags, folder, wanted) {
  const found = platformsIn(folder)
  step(
    `npm install ${flags} takes ${wanted.join() || 'no binary'}`,
    found.join() === wanted.join() ? [] : [found.join()],
  )
}

for (const tarball of tarballs) {
  for (const line of describe(tarball)) console.log(line)
  step(`contents of ${tarball.name}`, faultsOf(tarball, join(dirname(packed), 'unpacked')))
}
const unbuilt = platformPackages.filter(({ name }) => !tarballs.some((tarball) => tarball.name === name))
for (const { name } of unbuilt) total.skipped.push(`contents of ${name}: not built; npm run prebuild builds it`)
step('links of README.md', linkFaults(join(project, 'node_modules', 'netring')))
step('no install script', installScripts(project))
selected('', project, [`netring-linux-${process.arch}-gnu`])
selected('--omit=optional', bare, [])
selected('--cpu=x64', others.x64, ['netring-linux-x64-gnu'])
selected('--cpu=arm64', others.arm64, ['netring-linux-arm64-gnu'])
selected('--cpu=x64 --libc=musl', others.musl, ['netring-linux-x64-musl'])

const bin = (name) => join(root, 'node_modules/.bin', name)
for (const { name, file } of tarballs) {
  await suite(total, new StepTally(), `publint on ${name}`, [bin('publint'), 'run', '--strict', file], {
    timeoutMs: 60_000,
  })
}
// A package of modules of ES only: that CommonJS must require() or import() it is meant, and no resolution of before Node 16 matters.
const attw = [bin('attw'), tarballs[0].file, '--profile', 'esm-only', '--no-emoji']
await suite(total, new StepTally(), 'are the types wrong', attw, { timeoutMs: 60_000 })
// Where a machine decides, what has not been run has not been checked.
const unchecked = process.env.CI ? total.failed : total.skipped
for (const [name, command] of typeChecks(project)) {
  if (command === undefined) unchecked.push(`${name}: its npm package could not be installed`)
  else await suite(total, new StepTally(), name, command, options)
}

disableIpv6(netnsOf())
makeNetwork()
for (const { name, command } of runtimes()) {
  if (command === undefined) unchecked.push(`the package on ${name}: its npm package could not be installed`)
  else await suite(total, new TapTally(), `the package on ${name}`, [...command, join(project, checks), name], options)
}
if (tarballs.some(({ name }) => name === 'netring-linux-x64-musl') && process.arch === 'x64') {
  const [label, node, cwd] = ['Node 24 with musl', muslNode(), others.musl]
  if (node === undefined) unchecked.push(`the package on ${label}: that could not be installed`)
  else
    await suite(total, new TapTally(), `the package on ${label}`, [node, '--expose-gc', join(cwd, checks), label], {
      ...options,
      cwd,
      env: hidden(cwd),
    })
}
const withoutBinary = refused('ERR_NETRING_UNSUPPORTED', /there is no package netring-linux-\w+-gnu.*--omit=optional/)
step(
  'installed without optional dependencies',
  attempt([process.execPath, join(bare, 'testkit/consumer/try.mjs')], withoutBinary, { ...options, cwd: bare }),
)
for (const [name, faults] of permissionChecks(options)) step(name, faults)
for await (const [name, faults] of bundleChecks(options)) step(name, faults)

console.log(total.report())
process.exitCode = total.failed.length === 0 ? 0 : 1

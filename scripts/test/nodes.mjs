/** Other versions of Node, for the tests whose subject changes with V8: what becomes of views. They are npm packages. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { npm, root, say } from '../run.mjs'
import { runAsCaller } from '../setup.mjs'

export const otherVersions = ['22', '24', '26']
const architecture = { x64: 'x64', arm64: 'arm64' }[process.arch]
const folder = (version) => join(root, 'node_modules', '.cache', `node-${version}`)

/** The program of a version, or undefined where it is not installed. */
export function nodeProgram(version) {
  const file = join(folder(version), 'node_modules', `node-linux-${architecture}`, 'bin', 'node')
  return existsSync(file) ? file : undefined
}

/** Installs what is missing; without a registry the tests on that version are skipped by name. */
export function installNodes() {
  for (const version of otherVersions) installNode(version)
}

/** Installs a version unless it is there. */
export function installNode(version) {
  if (nodeProgram(version) !== undefined) return
  say(`installing Node ${version} for the tests`)
  const name = `node-linux-${architecture}@${version}`
  runAsCaller(npm('install', '--no-save', '--no-package-lock', '--silent', '--prefix', folder(version), name))
}

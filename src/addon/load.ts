/** Finding the addon and loading it. */
import { createRequire } from 'node:module'
import { isMainThread } from 'node:worker_threads'
import type * as Addon from '../../index.js'
import { checkBinary, checkVersion, interpreterOf } from './binary.js'
import { explain, isMissing, type Refusal } from './explain.js'
import { binariesFor, hostRefusal, type Host } from './host.js'

/** What loading came to: one of the two. */
export type Loaded =
  | { readonly addon: typeof Addon; readonly refusal?: undefined }
  | { readonly addon?: undefined; readonly refusal: Refusal }

/**
 * Loads the addon, or says why not. Never throws: what imports netring is to be importable everywhere.
 *
 * The binary lies at the root of a checkout, or in a package of its own, of which npm installs the one for this processor. Only
 * packages that are published are asked for: another's name could be anybody's.
 */
export function loadAddon(host: Host = thisHost(), load: (name: string) => unknown = requireHere): Loaded {
  const message = hostRefusal(host)
  if (message !== undefined) return { refusal: { code: 'ERR_NETRING_UNSUPPORTED', message } }
  const failures: unknown[] = []
  for (const target of binariesFor(host)) {
    for (const name of [`../../netring.${target}.node`, `netring-${target}`]) {
      try {
        return { addon: load(name) as typeof Addon }
      } catch (error) {
        failures.push(error)
      }
    }
  }
  // One that is there and does not load says more than that another is not there.
  const telling = failures.find((error) => !isMissing(error)) ?? failures[0]
  return { refusal: explain(telling, host) }
}

/** Deno's own kind of worker takes itself for a main thread. */
function thisHost(): Host {
  const { platform, arch, versions } = process
  const interpreter = platform === 'linux' ? interpreterOf('/proc/self/exe') : undefined
  const mainThread = isMainThread && !('WorkerGlobalScope' in globalThis)
  return { platform, arch, versions, interpreter, mainThread, fromClone }
}

/** What is published names its platform packages, which a clone's package.json cannot. */
function fromClone(): boolean {
  if (inBundle()) return false
  const manifest = createRequire(import.meta.url)('../../package.json') as { readonly optionalDependencies?: object }
  return manifest.optionalDependencies === undefined
}

/** There this module lies anywhere, and two folders further up may be what others write into. */
function inBundle(): boolean {
  return !/\/(?:src|dist)\/addon\/load\.[jt]s$/.test(import.meta.url)
}

/** Not at the top: a bundler that makes CommonJS of this module leaves no URL to start from, which is for explain() to say. */
function requireHere(name: string): unknown {
  const require = createRequire(import.meta.url)
  if (name.startsWith('.') && inBundle()) {
    throw Object.assign(new Error(`${name} is not looked for from a bundle`), { code: 'MODULE_NOT_FOUND' })
  }
  const path = require.resolve(name)
  checkBinary(path, process.arch)
  const addon: unknown = require(path)
  checkVersion(addon, path)
  return addon
}

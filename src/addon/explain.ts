/** Why the addon did not load, in words that say what to do. */
import { inspect } from 'node:util'
import type { NetringErrorCode } from '../errors/netring-error.js'
import { binariesFor, lacksBinary, type Host } from './host.js'

/** Why there is no addon. */
export interface Refusal {
  readonly code: NetringErrorCode
  readonly message: string
  readonly cause?: unknown
}

interface Failure {
  readonly name?: string
  readonly code?: string
  readonly message?: unknown
  readonly path?: string
}

/** It is not installed; anything else is wrong with what is. Where a package is there and its binary is not, `path` names the package. */
export function isMissing(error: unknown): boolean {
  const { code, path } = (error ?? {}) as Failure
  return code === 'MODULE_NOT_FOUND' && path === undefined
}

/** Makes a refusal of what was thrown. */
export function explain(cause: unknown, host: Host): Refusal {
  const { name, code, message: text } = (cause ?? {}) as Failure
  const message = typeof text === 'string' ? text : inspect(cause)
  const refusal = (code: NetringErrorCode, text: string): Refusal => ({ code, message: text, cause })
  if (code === 'ERR_DLOPEN_DISABLED') {
    return refusal(
      'ERR_NETRING_PERMISSION',
      'Node.js was told to load no native addons (--permission, --no-addons): run it with --allow-addons, and for a FanoutPool with --allow-worker',
    )
  }
  if (code === 'ERR_ACCESS_DENIED') {
    return refusal(
      'ERR_NETRING_PERMISSION',
      `the permission model keeps Node.js from reading netring's binary: let --allow-fs-read cover node_modules (${message})`,
    )
  }
  if (name === 'NotCapable') {
    return refusal(
      'ERR_NETRING_PERMISSION',
      `Deno must be allowed to load netring's binary: run it with --allow-ffi and --allow-read (${message})`,
    )
  }
  if (lacksBinary(host)) {
    return refusal(
      'ERR_NETRING_UNSUPPORTED',
      `there is no binary of netring for musl on ${host.arch}, and this system (Alpine?) has musl: use an image with glibc, such as Debian's`,
    )
  }
  if (isMissing(cause)) return refusal('ERR_NETRING_UNSUPPORTED', missing(host))
  if (code === 'MODULE_NOT_FOUND') {
    return refusal('ERR_NETRING_UNSUPPORTED', `netring's binary is gone from its package: install again (${message})`)
  }
  if (/GLIBC_[\d.]+' not found/.test(message)) {
    return refusal(
      'ERR_NETRING_UNSUPPORTED',
      `the C library of this system is too old for netring's binary: ${message}`,
    )
  }
  if (code === 'ERR_INVALID_ARG_VALUE') {
    return refusal(
      'ERR_NETRING_UNSUPPORTED',
      "netring was bundled into CommonJS and cannot find its binary: mark it as external. docs/bundlers.md has the bundlers' settings",
    )
  }
  if (message.includes('failed to map segment')) {
    return refusal(
      'ERR_NETRING_PERMISSION',
      `netring's binary lies on a file system from which nothing is run (mounted noexec?): move node_modules (${message})`,
    )
  }
  return refusal('ERR_NETRING_UNSUPPORTED', `netring's binary does not load: ${message}`)
}

function missing(host: Host): string {
  if (host.fromClone?.() === true) {
    return [
      `this netring was packed or linked from a clone that holds no netring.${binariesFor(host)[0] ?? ''}.node.`,
      'On the system it is to run on, run `npm run build` in the clone, and pack it again.',
    ].join(' ')
  }
  return [
    `netring's binary for this machine is not installed: there is no package netring-${binariesFor(host)[0] ?? ''} that this user may read.`,
    'It is an optional dependency of netring: install without --omit=optional, and on the system it is to run on,',
    'with a package-lock.json that was not made on another one (remove it and node_modules, then `npm install`).',
    'A bundler has to leave netring external.',
  ].join(' ')
}

/** Running a script in a private network namespace, or saying what keeps it from one. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { insidePrivateNamespace } from '../testkit/namespace.mjs'
import { exitStatus, onSignals, root, stop } from './run.mjs'

/** Runs `node ...argv` in a private namespace and ends this process as that one ends. */
export function enterPrivateNamespace(argv) {
  const check = spawnSync('unshare', insidePrivateNamespace(['true']), { encoding: 'utf8' })
  if (check.status !== 0) stop(refusal(check))

  const child = spawn('unshare', insidePrivateNamespace([process.execPath, ...argv]), {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, NETRING_NAMESPACE: '1' },
  })
  onSignals((signal) => {
    // Ctrl-C at a terminal reaches the child without our help; twice would look like impatience.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
  })
  child.on('error', (error) => stop(`unshare: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(exitStatus(code, signal)))
}

function refusal({ stderr, error }) {
  const lines = [`no private network namespace here (${(stderr || String(error)).trim()}).`]
  if (process.getuid() === 0) {
    lines.push('root lacks CAP_SYS_ADMIN, as in most containers: start the container with --privileged.')
    return lines.join('\n')
  }
  const closed = closedSettings()
  if (closed.length > 0) {
    lines.push('User namespaces are closed to users. To open them until the next boot, run:')
    lines.push(...closed.map(({ name, open }) => `  sudo sysctl -w ${name}=${open}`))
  } else {
    lines.push('User namespaces are closed to users; in a container, start that with --privileged.')
  }
  const { npm_lifecycle_event: script } = process.env
  const command = script ? `npm run ${script}` : `node ${relative(root, process.argv[1])}`
  lines.push('Or run this as root:', `  sudo env "PATH=$PATH" ${command}`)
  return lines.join('\n')
}

/** What Debian, Ubuntu and hardened kernels close user namespaces with. */
const settings = [
  { name: 'kernel.unprivileged_userns_clone', closed: 0, open: 1 },
  { name: 'kernel.apparmor_restrict_unprivileged_userns', closed: 1, open: 0 },
  { name: 'user.max_user_namespaces', closed: 0, open: 15000 },
]

function closedSettings() {
  return settings.filter(({ name, closed }) => {
    const file = `/proc/sys/${name.replaceAll('.', '/')}`
    return existsSync(file) && Number(readFileSync(file, 'utf8')) === closed
  })
}

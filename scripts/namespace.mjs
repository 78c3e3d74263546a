/**
 * A network namespace of one's own: raw sockets and interfaces without touching, or seeing, the host's. It goes away
 * with the last process in it. Root enters one directly; anyone else through a user namespace, where it is allowed.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { exitStatus, onSignals, root, stop } from './run.mjs'

// `ip netns` keeps its names in /run/netns, which is the host's: a tmpfs hides it. Where a user cannot make that
// folder, the tmpfs goes over the whole of /run. Each step replaces the one before it, so one process remains, and
// what is sent to it arrives at the program.
const prepare = `
set -e
run=$(readlink -f /var/run)
if ! mkdir -p "$run/netns" 2>/dev/null; then
  mount -t tmpfs -o mode=755 tmpfs "$run"
  mkdir "$run/netns"
fi
mount -t tmpfs -o mode=755 tmpfs "$run/netns"
ip link set lo up
exec "$@"
`

/** Runs `node ...argv` in a private namespace and ends this process as that one ends. */
export function enterPrivateNamespace(argv) {
  const check = spawnSync('unshare', inside(['true']), { encoding: 'utf8' })
  if (check.status !== 0) stop(refusal(check))

  const child = spawn('unshare', inside([process.execPath, ...argv]), {
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

function inside(command) {
  const user = process.getuid() === 0 ? [] : ['--user', '--map-root-user']
  return [...user, '--net', '--mount', '--propagation', 'private', 'sh', '-c', prepare, 'sh', ...command]
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

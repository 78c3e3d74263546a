/**
 * A private network namespace for a program: raw sockets and interfaces without touching, or seeing, the host's. It goes
 * away with the last process in it.
 */

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

/**
 * Arguments of unshare(1) that run a command in one: root enters it directly, anyone else through a user namespace.
 *
 * @param {readonly string[]} command
 */
export function insidePrivateNamespace(command) {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
  return [...user, '--net', '--mount', '--propagation', 'private', 'sh', '-c', prepare, 'sh', ...command]
}

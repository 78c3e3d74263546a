/** Where the process may have no more threads. */
import { spawnSync } from 'node:child_process'
import { asUser, otherUsers, testThatNeeds } from '../helpers/needs.js'

/** Takes all threads that there may be, then waits for a packet, which takes one that waits. */
const script = `
  import { Worker } from 'node:worker_threads'
  const { Capture } = await import(process.argv[1])
  const capture = Capture.open('lo', { profile: 'lowMemory' })
  for (;;) {
    const failed = await new Promise((resolve) => {
      const worker = new Worker('setInterval(() => 0, 1e6)', { eval: true })
      worker.once('online', () => resolve(undefined)).once('error', resolve)
    }).catch((error) => error)
    if (failed) break
  }
  try {
    await capture.recv()
  } catch (error) {
    console.log(error.code, error.message)
  }
  capture.close()
  process.exit()`

testThatNeeds(otherUsers, 'waiting throws, and the process lives on', (t) => {
  const { href } = new URL('../../dist/index.js', import.meta.url)
  const node = [process.execPath, '--input-type=module', '-e', script, href]
  const limited = ['bash', '-c', 'ulimit -Su 24; exec "$0" "$@"', ...node]
  // Capabilities with which the limit would not count.
  const bounded = ['--bounding-set=-sys_resource,-sys_admin', ...asUser]
  const { stdout, stderr, status } = spawnSync('setpriv', [...bounded, ...limited], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  t.regex(stdout, /^ERR_NETRING_IO .*this process may have no more threads/, stderr)
  t.is(status, 0)
})

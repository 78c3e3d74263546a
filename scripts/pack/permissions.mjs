/** What the permission models of Node.js and Deno say to the package, and what they have to be told to let it work. */
import { join } from 'node:path'
import { attempt, refused, works } from './attempt.mjs'
import { runtimes } from './runtimes.mjs'

/** Name and faults of each check. */
export function* permissionChecks(options) {
  for (const { name, program } of runtimes()) {
    if (program === undefined) continue
    for (const [flags, expected] of casesOf(name, options.cwd)) {
      const command = [program, ...flags, join(options.cwd, 'testkit/consumer/try.mjs')]
      const told = flags.filter((flag) => /^--(?!allow-fs-read|no-prompt)/.test(flag)).join(' ')
      yield [`${name} with ${told}`, attempt(command, expected, options)]
    }
  }
}

function casesOf(name, project) {
  if (name.startsWith('Node')) {
    const flags = [
      /^Node (20|22\.12)/.test(name) ? '--experimental-permission' : '--permission',
      `--allow-fs-read=${project}/*`,
    ]
    return [
      [flags, refused('ERR_NETRING_PERMISSION', /--allow-addons/)],
      [[...flags, '--allow-addons'], { packets: 'works', pool: 'ERR_ACCESS_DENIED' }],
      [[...flags, '--allow-addons', '--allow-worker'], works],
      [['--no-addons'], refused('ERR_NETRING_PERMISSION', /--no-addons/)],
    ]
  }
  if (name === 'Deno') {
    const flags = ['run', '--no-prompt', '--allow-read']
    return [
      [flags, refused('ERR_NETRING_PERMISSION', /--allow-ffi/)],
      // Of a pool see testkit/consumer/threads.mjs.
      [[...flags, '--allow-ffi'], { packets: 'works', pool: 'ERR_NETRING_UNSUPPORTED' }],
    ]
  }
  return []
}

/** Every example is listed, says how it is used, and says in one line what is wrong. */
import test from 'ava'
import { readFileSync } from 'node:fs'
import { example, exampleNames, root, start } from '../helpers/example.js'
import { network } from '../helpers/network.js'

const read = (file: string): string => readFileSync(`${root}${file}`, 'utf8')

/** Examples with their usages, as the comments at their heads have them. */
const usages = exampleNames.map((name) => {
  const [, usage = ''] =
    new RegExp(`^ \\* {5}(npm run example ${name} -- .*)$`, 'm').exec(read(`examples/${name}.ts`)) ?? []
  return { name, usage }
})

test('README.md lists every example', (t) => {
  const listed = [...read('README.md').matchAll(/^\| \[`([\w-]+)`\]\(examples\/\1\.ts\) \| .+ \|$/gm)].map(
    ([, name]) => name,
  )
  t.deepEqual(listed.toSorted(), exampleNames)
})

for (const { name, usage } of usages) {
  test.serial(`${name}: without arguments it prints the usage that its head comment has`, async (t) => {
    const { status, errors, lines } = await example(t, undefined, name).ended()
    t.is(status, 2)
    t.is(errors.trim().split('\n').at(-1), `Usage: ${usage}`)
    t.deepEqual(lines, [])
  })

  test.serial(`${name}: an interface or file that does not exist is named, without a stack`, async (t) => {
    const names = usage
      .replace(/^.* -- /, '')
      .replace(/ \[.*$/, '')
      .split(' ')
    const { status, errors } = await example(
      t,
      undefined,
      name,
      ...names.map((_, index) => `nosuchlink${index || ''}`),
    ).ended()
    t.is(status, 1)
    const said = usage.includes(' INTERFACE')
      ? /^no interface "nosuchlink"[^\n]*\n$/
      : /^cannot open nosuchlink[^\n]*\n$/
    t.regex(errors, said)
  })
}

test.serial('what is no option, and what is no number, is said with the usage', async (t) => {
  for (const [args, message] of [
    [['lo', '--cuont', '1'], /'--cuont'/],
    [['lo', '--count', 'many'], /--count takes a number, not 'many'/],
    [['lo', 'lo'], /expected INTERFACE, got lo lo\n/],
  ] as const) {
    const { status, errors } = await example(t, undefined, 'capture', ...args).ended()
    t.is(status, 2)
    t.regex(errors, message)
    t.regex(errors, /\nUsage: npm run example capture -- INTERFACE/)
  }
})

test.serial('npm run example lists the examples with what they are', async (t) => {
  for (const args of [[], ['no-such-example']]) {
    const { status, errors } = await start(t, undefined, [process.execPath, 'scripts/example.mjs', ...args]).ended()
    t.is(status, 2)
    const listed = [...errors.matchAll(/^ {2}([\w-]+) +[A-Z].*\.$/gm)].map(([, name]) => name)
    t.deepEqual(listed, exampleNames)
  }
})

test.serial('npm run example runs one, and passes signals and exit statuses on', async (t) => {
  const { a } = network(t)
  const command = [process.execPath, 'scripts/example.mjs', 'stats', a.name, '--interval', '10']
  const running = start(t, a, command)
  await running.line(/^ +\d+ +\d+ +\d+ +\d+\.\d +\d+$/m)
  running.kill('SIGTERM')
  const { status, lines } = await running.ended()
  t.is(status, 0)
  t.regex(lines.at(-1)!, /^0 packets, 0 bytes, 0 dropped/)
  t.is((await start(t, a, [process.execPath, 'scripts/example.mjs', 'stats']).ended()).status, 2)
})

/** What scripts/setup.mjs lets pass. */
import test from 'ava'
import { readFileSync } from 'node:fs'

const languages = '../scripts/setup/languages.mjs'
const { fits } = (await import(languages)) as { fits: (version: string, range: string) => boolean }
const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  engines: { node: string }
}

for (const [version, fitting] of [
  ['18.20.8', false],
  ['20.18.9', false],
  ['20.19.0', true],
  ['20.20.2', true],
  ['21.7.0', false],
  ['22.0.0', false],
  ['22.11.0', false],
  ['22.12.0', true],
  ['23.0.0', true],
  ['26.0.0', true],
] as const) {
  test(`Node ${version} is ${fitting ? '' : 'not '}one that engines names`, (t) => {
    t.is(fits(version, engines.node), fitting)
  })
}

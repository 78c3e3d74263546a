/** What the benchmarks have kept can be read again, and says where it was measured. */
import test from 'ava'
import { readdirSync } from 'node:fs'

interface Kept {
  readonly environment: { readonly kernel: string; readonly cpu: string; readonly node: string }
  readonly results?: readonly Readonly<Record<string, unknown>>[]
  readonly trials?: readonly Readonly<Record<string, unknown>>[]
}

const report = '../benchmark/report.mjs'
const { recall } = (await import(report)) as { recall: (name: string) => Kept }
const names = readdirSync(new URL('../benchmark/results', import.meta.url)).map((file) => file.replace('.json', ''))

for (const name of names) {
  test(`benchmark/results/${name}.json has trials, each with its rate, and where they were run`, (t) => {
    const { environment, results, trials } = recall(name)
    t.regex(environment.kernel, /^\d+\.\d+/)
    t.truthy(environment.cpu)
    t.regex(environment.node, /^v\d+/)
    const all = results ?? trials ?? []
    t.true(all.length > 0)
    for (const trial of all) t.true(Number(trial.pps) > 0, JSON.stringify(trial))
  })
}

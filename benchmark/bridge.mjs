// How fast a bridge forwards: netring's native thread, and a hook, beside the same loop in C. `node benchmark/bridge.mjs [--trials N]
// [--sizes A,B] [--seconds N] [--no-keep]`, as root.
//
// The kernel's generator of live frames (c/bin/livesource) floods one side on CPU 0, faster than anybody can forward; the
// bridge runs on CPU 1, where what it sends is also received and thrown away. The rate is what the far end's interface
// counts, CPU is the bridge's own, both over the same seconds in the middle of a trial. Trials are interleaved, each a
// fresh process in a fresh network namespace.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { addNetns, addVeth, deleteNetns, received, run } from '../testkit/network.mjs'
import { environment, keep } from './report.mjs'

const { values } = parseArgs({
  allowNegative: true,
  options: {
    trials: { type: 'string', default: '5' },
    sizes: { type: 'string', default: '64,1400' },
    seconds: { type: 'string', default: '3' },
    keep: { type: 'boolean', default: true },
  },
})

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const netring = (options) => `
const { Bridge } = await import(${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)})
const bridge = Bridge.open('bm-left', 'bm-right', ${options})
console.error('ready')
await bridge.run()`
/** Looks at one byte of each packet. */
const HOOK = `{ onPacket: ({ data }) => (data[12] === 0xff ? 'drop' : 'forward') }`
const CONTENDERS = {
  'bridge-c': [here('c/bin/bridge'), '--a', 'bm-left', '--b', 'bm-right', '--idle-ms', '60000'],
  'netring-bridge': [process.execPath, '--input-type=module', '-e', netring('{}')],
  'netring-hook': [process.execPath, '--input-type=module', '-e', netring(HOOK)],
}

run('make', '-s', '-C', here('c'), 'bin/bridge', 'bin/livesource')
const results = []
for (const size of values.sizes.split(',').map(Number)) {
  for (let trial = 1; trial <= Number(values.trials); trial++) {
    for (const [contender, command] of Object.entries(CONTENDERS)) {
      const measured = await measure(command, size)
      results.push({ contender, size, trial, ...measured })
      console.error(`${contender}, ${size} bytes, trial ${trial}: ${Math.round(measured.pps)} pps`)
    }
  }
}
const summary = summarize()
console.log(
  ['| bytes | bridge | frames/s, median (min-max) | x C | CPU ns/frame |', '|---|---|---|---|---|']
    .concat(
      summary.map(
        ({ size, contender, pps, least, most, ratio, cpu }) =>
          `| ${size} | ${contender} | ${Math.round(pps)} (${Math.round(least)}-${Math.round(most)}) | ${ratio.toFixed(3)} | ${Math.round(cpu)} |`,
      ),
    )
    .join('\n'),
)
if (values.keep) keep('bridge', { subcommand: 'bridge', environment: environment(), summary, trials: results })

async function measure(command, size) {
  const namespace = `bm-bridge-${process.pid}`
  const inside = (argv) => ['netns', 'exec', namespace, ...argv]
  const children = []
  const start = (cpu, argv) => {
    const child = spawn('ip', inside(['taskset', '-c', cpu, ...argv]), { stdio: ['ignore', 'ignore', 'pipe'] })
    children.push(child)
    return child
  }
  const netns = addNetns(namespace)
  const end = (name) => ({ ...netns, name })
  try {
    addVeth(end('bm-near'), end('bm-left'))
    addVeth(end('bm-right'), end('bm-far'))
    const bridge = start('1', command)
    await ready(bridge)
    start('0', [here('c/bin/livesource'), '--interface', 'bm-left', '--size', `${size}`, '--repeat', `${2 ** 40}`])
    await sleep(500)
    const before = look(end('bm-far'), bridge.pid)
    await sleep(Number(values.seconds) * 1000)
    const after = look(end('bm-far'), bridge.pid)
    const frames = after.frames - before.frames
    return {
      frames,
      pps: frames / (after.at - before.at),
      cpuNsPerFrame: (after.cpu - before.cpu) / frames,
    }
  } finally {
    await Promise.all(children.map(ended))
    deleteNetns(namespace)
  }
}

/** Ends a child and waits until it is gone: a namespace lives as long as a process in it. */
function ended(child) {
  if (child.exitCode !== null || child.signalCode !== null) return undefined
  return new Promise((resolve) => {
    child.on('exit', resolve)
    child.kill('SIGKILL')
  })
}

function ready(child) {
  return new Promise((resolve, reject) => {
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said += text
      if (said.includes('ready')) resolve()
    })
    child.on('exit', () => reject(new Error(`the bridge ended: ${said}`)))
  })
}

/** Frames that the far end has received, CPU of a process in nanoseconds, and when that was, in seconds. */
function look(far, pid) {
  const start = performance.now()
  const frames = received(far)
  const at = (start + performance.now()) / 2000
  // Fields 14 and 15 of proc(5), in ticks of 10 ms; the second field may have spaces in it.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return { frames, cpu: (Number(fields[11]) + Number(fields[12])) * 1e7, at }
}

function summarize() {
  const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
  const key = ({ size, contender }) => `${size} ${contender}`
  const groups = [...new Set(results.map(key))].map((group) => results.filter((result) => key(result) === group))
  const rows = groups.map((trials) => {
    const rates = trials.map(({ pps }) => pps)
    const { size, contender } = trials[0]
    return {
      size,
      contender,
      pps: median(rates),
      least: Math.min(...rates),
      most: Math.max(...rates),
      cpu: median(trials.map(({ cpuNsPerFrame }) => cpuNsPerFrame)),
    }
  })
  return rows.map((row) => ({
    ...row,
    ratio: row.pps / rows.find(({ size, contender }) => size === row.size && contender === 'bridge-c').pps,
  }))
}

// The benchmark's runner: `node benchmark/run.mjs receive` and `node benchmark/run.mjs send`.
//
// Every measurement is a fresh process. Trials are interleaved (the first of every contender, then
// the second of every contender), so that a noisy minute does not fall on one of them alone.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { BASELINES, COMMON_SOURCES, RECEIVERS, SENDERS, SOURCES } from './contenders.mjs'
import { environment, keep, spread, summarize, table } from './report.mjs'
import { Wire } from './wire.mjs'

const USAGE = `usage: node benchmark/run.mjs receive|send [options]
  --trials N         fresh processes a contender (5)
  --count N          frames a trial (receive: 2000000, send: 1000000)
  --sizes A,B        frame sizes in bytes (64,1400)
  --only NAME,NAME   these contenders only
  --name NAME        file name under benchmark/results (the subcommand's name)
  --mtu N            of the wire (9000); native XDP programs take about 3400
  --no-keep          write no file
receive only:
  --sources A,B      wire (a paced sender), live (the kernel's generator, flat out), redirect (the
                     same into native XDP programs), wire-xdp (the paced sender for these) (wire,live)
  --idle-ms N        silence after which a receiver stops (500)`

/** No trial takes longer than this; whatever does is a failed one. */
const TRIAL_MS = 90_000

const commands = { receive, send }

try {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    allowNegative: true,
    options: {
      trials: { type: 'string', default: '5' },
      count: { type: 'string' },
      sizes: { type: 'string', default: '64,1400' },
      only: { type: 'string' },
      name: { type: 'string' },
      keep: { type: 'boolean', default: true },
      sources: { type: 'string', default: 'wire,live' },
      'idle-ms': { type: 'string', default: '500' },
      mtu: { type: 'string', default: '9000' },
      help: { type: 'boolean', default: false },
    },
  })
  const command = commands[positionals[0]]
  if (values.help || positionals.length !== 1 || command === undefined) throw new TypeError(USAGE)
  await command(values)
} catch (error) {
  console.error(error.code?.startsWith('ERR_PARSE_ARGS') || error instanceof TypeError ? error.message : error)
  process.exit(1)
}

async function receive(options) {
  const count = wholeNumber('count', options.count ?? '2000000')
  const sizes = list(options.sizes).map((size) => wholeNumber('sizes', size))
  const sources = list(options.sources)
  for (const source of sources) if (!(source in SOURCES)) throw new TypeError(`no such source: ${source}`)
  const contenders = present(RECEIVERS, options.only)
  const wire = new Wire(wholeNumber('mtu', options.mtu))

  const settings = sources.flatMap((source) => sizes.map((size) => ({ source, size })))
  const results = await trials(settings, contenders, options, async ({ source, size }, contender) => {
    const receiver = wire.start('rx', 'receiver', [
      ...contender.command,
      ...['--interface', 'bm-rx', '--count', `${count}`, '--idle-ms', options['idle-ms']],
    ])
    let sender
    try {
      await receiver.ready()
      const { inReceiver, command } = SOURCES[source]
      sender = wire.start(inReceiver ? 'rx' : 'tx', 'sender', command({ count, size }))
      const [received, sent] = await Promise.all([receiver.result(TRIAL_MS), sender.result(TRIAL_MS)])
      return { ...received, sent: sent.sent, sourcePps: sent.pps, lost: sent.sent - received.packets }
    } finally {
      receiver.stop()
      sender?.stop()
    }
  })

  for (const setting of settings) {
    const own = results.filter((result) => result.source === setting.source && result.size === setting.size)
    console.log(`\n### ${setting.source}, ${setting.size} bytes, ${count} frames\n`)
    console.log(receiveTable(own, contenders))
    warnAboutChecksums(own)
  }
  finish('receive', options, { count, settings, results })
}

function receiveTable(results, contenders) {
  const cpu = (name) => medianOf(results, name, 'cpuNsPerPacket')
  const rows = contenders.map(({ name }) => {
    const own = results.filter((result) => result.contender === name)
    if (own.length === 0) return [name, ...Array(4 + BASELINES.length).fill('-')]
    const sent = own.reduce((sum, { sent }) => sum + sent, 0)
    const lost = own.reduce((sum, { lost }) => sum + lost, 0)
    return [
      name,
      spread(summarize(own.map((result) => result.cpuNsPerPacket))),
      ...BASELINES.map((baseline) => ratio(cpu(name), cpu(baseline))),
      spread(summarize(own.map((result) => result.pps / 1e6)), 3),
      `${((lost / sent) * 100).toFixed(2)}`,
      `${Math.round(medianOf(results, name, 'rssKiB') / 1024)}`,
    ]
  })
  return table(
    ['receiver', 'CPU ns/packet', ...BASELINES.map((name) => `x ${name}`), 'Mpps', 'lost %', 'RSS MiB'],
    rows,
  )
}

/** Whoever read every frame must have read the same bytes: anything else is not the same work. */
function warnAboutChecksums(results) {
  const complete = results.filter((result) => result.lost === 0)
  const expected = (complete.find(({ contender }) => contender === BASELINES[0]) ?? complete[0])?.checksum
  const wrong = new Map(
    complete.filter(({ checksum }) => checksum !== expected).map(({ contender, checksum }) => [contender, checksum]),
  )
  for (const [contender, checksum] of wrong) {
    console.log(`\nWARNING: ${contender} has checksum ${checksum}, not ${expected}: its work was not the same.`)
  }
}

async function send(options) {
  const count = wholeNumber('count', options.count ?? '1000000')
  const sizes = list(options.sizes).map((size) => wholeNumber('sizes', size))
  const contenders = present(SENDERS, options.only)
  const wire = new Wire(wholeNumber('mtu', options.mtu))

  const settings = sizes.map((size) => ({ size }))
  const results = await trials(settings, contenders, options, async ({ size }, contender) => {
    const before = wire.arrived()
    const sender = wire.start('tx', 'sender', [
      ...contender.command,
      ...['--interface', 'bm-tx', '--count', `${count}`, '--size', `${size}`],
    ])
    const sent = await sender.result(TRIAL_MS)
    const arrived = wire.arrived() - before
    return { ...sent, arrived, arrivedPps: Math.round(arrived / sent.seconds) }
  })

  for (const { size } of settings) {
    const own = results.filter((result) => result.size === size)
    console.log(`\n### ${size} bytes, ${count} frames, counted where they arrive\n`)
    console.log(sendTable(own, contenders))
  }
  finish('send', options, { count, settings, results })
}

function sendTable(results, contenders) {
  const rows = contenders.map(({ name }) => {
    const own = results.filter((result) => result.contender === name)
    if (own.length === 0) return [name, ...Array(4).fill('-')]
    const missing = own.reduce((sum, { sent, arrived }) => sum + sent - arrived, 0)
    return [
      name,
      spread(summarize(own.map((result) => result.arrivedPps / 1e6)), 3),
      ratio(medianOf(results, name, 'arrivedPps'), medianOf(results, SENDERS[0].name, 'arrivedPps')),
      spread(summarize(own.map((result) => result.cpuNsPerPacket)), 0),
      `${missing}`,
    ]
  })
  return table(['sender', 'Mpps arrived', `x ${SENDERS[0].name}`, 'CPU ns/packet', 'sent - arrived'], rows)
}

// --- what both subcommands share -----------------------------------------------------------------

/** The contenders that can run here, built; says why for the others. */
function present(contenders, only) {
  const make = spawnSync('make', ['--silent', '-C', fileURLToPath(new URL('c', import.meta.url))], {
    encoding: 'utf8',
  })
  if (make.status !== 0) throw new Error(`make -C benchmark/c: ${make.stderr ?? make.error}`)

  const names = only === undefined ? contenders.map(({ name }) => name) : list(only)
  for (const name of names) {
    if (!contenders.some((contender) => contender.name === name)) {
      throw new TypeError(`no such contender: ${name}; there are ${contenders.map(({ name }) => name).join(', ')}`)
    }
  }
  return contenders.filter(({ name, needs, hint }) => {
    if (!names.includes(name)) return false
    const missing = needs.filter((path) => !existsSync(path))
    if (missing.length === 0) return true
    const shown = missing.map((path) => path.split('/').slice(-3).join('/')).join(', ')
    console.error(`${name} is left out: no ${shown}. To have it: ${hint}`)
    return false
  })
}

/** Runs every contender in every setting, trial by trial. A trial that fails is told and left out. */
async function trials(settings, contenders, options, measure) {
  const results = []
  const rounds = wholeNumber('trials', options.trials)
  for (let trial = 1; trial <= rounds; trial++) {
    for (const setting of settings) {
      for (const contender of contenders) {
        if (setting.source !== undefined && !(contender.sources ?? COMMON_SOURCES).includes(setting.source)) continue
        const label = `trial ${trial}/${rounds}, ${Object.values(setting).join(' ')} B, ${contender.name}`
        try {
          const result = await measure(setting, contender)
          results.push({ contender: contender.name, trial, ...setting, ...result })
          console.error(`${label}: ${result.cpuNsPerPacket} ns CPU a packet, ${(result.pps / 1e6).toFixed(3)} Mpps`)
        } catch (error) {
          console.error(`${label}: FAILED: ${error.message}`)
        }
      }
    }
  }
  return results
}

function finish(subcommand, options, measurement) {
  const where = environment()
  console.log(
    `\n${where.cpu} (${where.cpus} CPUs), Linux ${where.kernel}, Node ${where.node}, ${where.date.slice(0, 10)}`,
  )
  console.log(`Medians (min-max) of ${options.trials} trials, each a fresh process.`)
  if (!options.keep) return
  const path = keep(options.name ?? subcommand, { subcommand, environment: where, ...measurement })
  console.log(`All trials: ${path}`)
}

function medianOf(results, name, field) {
  const values = results.filter((result) => result.contender === name).map((result) => result[field])
  return values.length === 0 ? undefined : summarize(values).median
}

function ratio(value, base) {
  return value === undefined || !base ? '-' : (value / base).toFixed(2)
}

function list(text) {
  return text.split(',').filter((item) => item !== '')
}

function wholeNumber(flag, text) {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value <= 0) throw new TypeError(`--${flag} wants whole numbers, not "${text}"`)
  return value
}

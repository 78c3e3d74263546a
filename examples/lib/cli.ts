/** What the examples share: arguments, Ctrl-C, and failures in one line. Nothing of netring is hidden here. */
import { basename } from 'node:path'
import { parseArgs } from 'node:util'

type Defaults = Readonly<Record<string, number | string>>

/** What a command line gave. */
export interface CommandLine<Names extends readonly string[], Options extends Defaults> {
  /** The arguments without dashes, as many as were asked for. */
  readonly names: { readonly [Name in keyof Names]: string }
  readonly options: Options
  /** Aborted by Ctrl-C, by SIGTERM and after --seconds. A second Ctrl-C ends the process at once. */
  readonly signal: AbortSignal
}

/**
 * Reads the command line: every name has to be given, options have defaults and are of the defaults' types, and every
 * example has --seconds. Where it is wrong the process prints the usage and ends with status 2.
 */
export function cli<const Names extends readonly string[], Options extends Defaults>(
  names: Names,
  defaults: Options,
): CommandLine<Names, Options> {
  process.on('uncaughtException', fail)
  const known: Defaults = { ...defaults, seconds: Infinity }
  const shown = Object.entries(known).map(([name, value]) => `[--${name} ${placeholder(name, value)}]`)
  const example = basename(process.argv[1] ?? '', '.ts')
  const usage = `npm run example ${example} -- ${[...names, ...shown].join(' ')}`
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: Object.fromEntries(Object.keys(known).map((name) => [name, { type: 'string' as const }])),
    })
    if (positionals.length !== names.length) {
      throw new RangeError(`expected ${names.join(' ')}, got ${positionals.join(' ') || 'nothing'}`)
    }
    const given = Object.entries(values).map(([name, text = '']) => [name, valueOf(name, text, known[name])])
    const { seconds, ...options } = { ...known, ...(Object.fromEntries(given) as Defaults) }
    return {
      names: positionals as unknown as CommandLine<Names, Options>['names'],
      options: options as Options,
      signal: stopSignal(Number(seconds)),
    }
  } catch (error) {
    console.error(`${(error as Error).message}\nUsage: ${usage}`)
    process.exit(2)
  }
}

function placeholder(name: string, value: number | string): string {
  return typeof value === 'number' ? 'N' : name.toUpperCase()
}

function valueOf(name: string, text: string, like: number | string | undefined): number | string {
  if (typeof like === 'string') return text
  const number = Number(text)
  if (text === '' || !(number >= 0)) throw new RangeError(`--${name} takes a number, not '${text}'`)
  return number
}

function stopSignal(seconds: number): AbortSignal {
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      stop.abort()
    })
  }
  if (seconds === Infinity) return stop.signal
  const milliseconds = Math.min(Math.ceil(seconds * 1000), 2 ** 31 - 1) // what a timer can hold
  return AbortSignal.any([stop.signal, AbortSignal.timeout(milliseconds)])
}

/** What has a code says in its message what is wrong, and how to mend it: a stack would only hide that. */
function fail(error: Error & { readonly code?: string }): void {
  console.error(error.code === undefined ? error : error.message)
  process.exit(1)
}

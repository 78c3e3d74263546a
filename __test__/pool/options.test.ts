/** What is wrong with a pool is said by name: before a thread is started where that can be, and with none left where not. */
import test, { type ExecutionContext } from 'ava'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { FanoutPool, NetringError, type FanoutPoolOptions } from '../../src/index.js'
import { errorOf, named, openDescriptors, range, type, value, type Code } from '../helpers/arguments.js'
import { runModule } from '../helpers/child.js'
import { step } from '../helpers/bpf.js'
import { upTo } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { module, poolOn } from '../helpers/pool.js'
import { smallRing, until } from '../helpers/traffic.js'

const threads = (): number => readdirSync('/proc/self/task').length
const ok = module('idle')

const wrong: readonly (readonly [name: string, options: object, code: Code])[] = [
  ['options', [] as object, type],
  ['options.worker', { worker: 1 }, value],
  ['options.workers', { workers: '2' }, type],
  ['options.workers', { workers: 0 }, range],
  ['options.workers', { workers: 257 }, range],
  ['options.workers', { workers: 1.5 }, range],
  ['options.mode', { mode: 'Hash' }, value],
  ['options.rollover', { rollover: 1 }, type],
  ['options.defrag', { defrag: 'yes' }, type],
  ['options.ignoreOutgoing', { ignoreOutgoing: null }, type],
  ['options.program[0].code', { mode: 'cbpf', program: [{}] }, type],
  ['options.backend', { backend: 'pcap' }, value],
  ['options.capture', { capture: 5 }, type],
  ['options.capture.blocksize', { capture: { blocksize: 1 } }, value],
  ['options.capture.blockSize', { capture: { blockSize: -1 } }, range],
  ['options.capture.profile', { capture: { profile: 'fast' } }, value],
  ['options.capture.filter', { capture: { filter: 5 } }, type],
  ['options.capture.fanout.mode', { capture: { fanout: { mode: 'all', group: 'unique' } } }, value],
  ['options.pinToCpus', { pinToCpus: 1 }, type],
  ['options.pinToCpus', { pinToCpus: [] }, value],
  ['options.pinToCpus[1]', { pinToCpus: [0, 'a'] }, type],
  ['options.pinToCpus[0]', { pinToCpus: [-1] }, range],
  ['options.restart', { restart: 'always' }, type],
  ['options.stopTimeoutMs', { stopTimeoutMs: -1 }, range],
  ['options.stopTimeoutMs', { stopTimeoutMs: '5' }, type],
  ['options.signal', { signal: {} }, type],
]

test.serial('wrong options are refused by name, before a thread is started', async (t) => {
  const before = [openDescriptors(), threads()]
  for (const [name, options, code] of wrong) {
    const error = await t.throwsAsync(FanoutPool.start('lo', ok, options as FanoutPoolOptions), {
      instanceOf: errorOf(code),
      code,
    })
    t.regex(error?.message ?? '', named(name))
  }
  for (const [interfaceName, file, name, code] of [
    [5, ok, 'interfaceName', type],
    ['', ok, 'interfaceName', value],
    ['lo', undefined, 'module', type],
    ['lo', '', 'module', value],
    ['lo', 'worker.js', 'module', value],
    ['lo', 'https://example.org/worker.js', 'module', value],
  ] as const) {
    const error = await t.throwsAsync(FanoutPool.start(interfaceName as string, file as string), {
      instanceOf: TypeError,
      code,
    })
    t.regex(error?.message ?? '', named(name))
  }
  t.deepEqual([openDescriptors(), threads()], before)
})

test.serial('options that contradict each other are refused, naming both', async (t) => {
  for (const [options, words] of [
    [{ mode: 'hash', program: [step.return(0)] }, ['options.program', 'options.mode']],
    [{ mode: 'hash', capture: { fanout: { mode: 'cpu', group: 'unique' } } }, ['options.mode', 'capture.fanout.mode']],
    [{ capture: { fanout: { mode: 'cpu', group: 7 } } }, ['options.capture.fanout.group', '7']],
    [{ pinToCpus: [4095] }, ['options.pinToCpus[0]', '4095']],
    [{ xdp: {} }, ['options.xdp', 'options.backend']],
  ] as const) {
    const error = await t.throwsAsync(FanoutPool.start('lo', ok, options as FanoutPoolOptions), {
      instanceOf: NetringError,
      code: 'ERR_NETRING_CONFIG',
    })
    for (const word of words) t.true(error?.message.includes(word), error?.message)
  }
})

test.serial('workerData that cannot be cloned is refused by name', async (t) => {
  const before = [openDescriptors(), threads()]
  const error = await t.throwsAsync(FanoutPool.start('lo', ok, { workers: 2, workerData: { call: () => undefined } }), {
    instanceOf: NetringError,
    code: 'ERR_NETRING_CONFIG',
    message: /^options\.workerData cannot be sent/,
  })
  t.is((error?.cause as Error).name, 'DataCloneError')
  t.true(await until(() => openDescriptors() <= before[0]! && threads() <= before[1]!))
})

test('a mode that needs a program is refused without one, before the interface is looked at', async (t) => {
  for (const mode of ['cbpf', 'ebpf'] as const) {
    const expected = {
      instanceOf: NetringError,
      code: 'ERR_NETRING_CONFIG',
      message: new RegExp(`options\\.mode '${mode}' needs options\\.program`),
    }
    await t.throwsAsync(FanoutPool.start('none', ok, { workers: 2, mode }), expected)
    await t.throwsAsync(
      FanoutPool.start('none', ok, { workers: 2, capture: { fanout: { mode, group: 'unique' } } }),
      expected,
    )
  }
})

const failing: readonly (readonly [what: string, module: URL | string, options: object, error: object])[] = [
  ['a module that throws at import', module('throws'), {}, { name: 'TypeError', message: 'this module throws' }],
  ['a module that is not there', module('missing'), {}, { code: 'ERR_MODULE_NOT_FOUND' }],
  ['a relative module that is not there', './missing.js', {}, { code: 'ERR_MODULE_NOT_FOUND' }],
  ['a module without a function', module('nothing'), {}, { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }],
  ['workerData that cannot be cloned', ok, { workerData: () => undefined }, { code: 'ERR_NETRING_CONFIG' }],
  ['a ring the kernel refuses', ok, { capture: { blockSize: 5000 } }, { code: 'ERR_NETRING_CONFIG' }],
  ['a filter the kernel refuses', ok, { capture: { filter: [step.jump(5)] } }, { code: 'ERR_NETRING_FILTER' }],
  [
    'a program the kernel refuses',
    ok,
    { mode: 'cbpf', program: [step.jump(5)] },
    { code: 'ERR_NETRING_SOCKOPT', option: 'PACKET_FANOUT_DATA' },
  ],
  ['no such namespace', ok, { capture: { netns: 'netring-none' } }, { code: 'ERR_NETRING_CONFIG' }],
]

test.serial('a start that fails rejects with what a worker threw, and leaves nothing', async (t) => {
  t.timeout(120_000)
  const { b } = network(t)
  const start = (file: URL | string, options: FanoutPoolOptions, name = b.name): Promise<FanoutPool> =>
    FanoutPool.start(name, file, {
      workers: 2,
      ...options,
      capture: { ...smallRing, netns: b.netns, promiscuous: true, ...options.capture },
    })
  await (await start(ok, {})).stop()
  const before = [openDescriptors(), threads()]
  for (const [what, file, options, wanted] of failing) {
    const error = await t.throwsAsync(start(file, options), { any: true }, what)
    t.like(error, wanted, what)
  }
  const error = await t.throwsAsync(start(ok, {}, 'none'))
  t.like(error, { code: 'ERR_NETRING_INTERFACE_NOT_FOUND', interface: 'none' })
  t.true(error instanceof NetringError)
  await until(() => openDescriptors() <= before[0]! && threads() <= before[1]!)
  t.deepEqual([openDescriptors(), threads()], before)
})

/** Of each thread of this process, the processors it may use, and its name. */
function affinities(): { readonly name: string; readonly cpus: string }[] {
  return readdirSync('/proc/self/task').map((task) => {
    const status = readFileSync(`/proc/self/task/${task}/status`, 'utf8')
    const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? ''
    return { name: field('Name'), cpus: field('Cpus_allowed_list') }
  })
}

function allowedCpus(t: ExecutionContext): number[] {
  const list = affinities()[0]!.cpus
  const cpus = list.split(',').flatMap((part) => {
    const [from = 0, to = from] = part.split('-').map(Number)
    return upTo(to - from + 1).map((at) => from + at)
  })
  t.log(`CPUs ${list}`)
  return cpus
}

test.serial('pinToCpus: each worker runs on its processor, and no other thread does', async (t) => {
  const { b } = network(t)
  // The thread that serves every capture has to be there, and is not to be pinned, either.
  const cpus = allowedCpus(t)
  const first = cpus[0]!
  const last = cpus.at(-1)!
  const pinned = (cpu: number): number => affinities().filter((task) => task.cpus === String(cpu)).length
  const all = affinities()[0]!.cpus
  const before = { threads: threads(), first: pinned(first), last: pinned(last) }
  for (const [pinToCpus, wanted] of [
    [true, upTo(4).map((index) => cpus[index % cpus.length]!)],
    [[last], [last, last, last, last]],
    [
      [last, first, first],
      [last, first, first, last],
    ],
  ] as const) {
    const pool = await poolOn(t, b, module('collect'), { workers: 4, pinToCpus })
    for (const cpu of new Set([first, last])) {
      if (String(cpu) === all) continue
      const grown = pinned(cpu) - (cpu === first ? before.first : before.last)
      t.is(grown, wanted.filter((one) => one === cpu).length, `CPU ${cpu}`)
    }
    t.true(
      affinities()
        .filter(({ name }) => name.startsWith('netring-io'))
        .every(({ cpus: list }) => list === all),
    )
    await pool.stop()
  }
  const pool = await poolOn(t, b, module('collect'), { workers: 2 })
  t.is(pinned(last) - before.last, 0, 'not asked for')
  await pool.stop()
})

test.serial(
  'a process is kept alive by its workers, or not, as asked; code on the command line can start a pool',
  (t) => {
    const { b } = network(t)
    const code = (then: string): string => `
    const pool = await netring.FanoutPool.start('${b.name}', '${ok.href}', {
      workers: 1, capture: { ...traffic.smallRing, netns: '${b.netns}' } })
    ${then}
    console.log(JSON.stringify('ended'))`
    t.is(runModule(code('pool.unref()'), [], 30_000), 'ended')
    t.is(runModule(code('pool.unref().ref(); await pool.stop()'), [], 30_000), 'ended')
    t.throws(() => runModule(code(''), ['timeout', '3'], 30_000))
  },
)

test.serial('a built pool runs a module in JavaScript, with the built package', (t) => {
  const { b } = network(t)
  const source = `
    import { FanoutPool } from 'netring'
    const code = "export default (source, { post, workerData }) => { post([source.constructor.name, workerData]) }"
    const pool = await FanoutPool.start('${b.name}', 'data:text/javascript,' + encodeURIComponent(code), {
      workers: 1, workerData: 7, capture: { blockSize: 65536, blockCount: 4, netns: '${b.netns}' } })
    pool.on('message', (message) => console.log(JSON.stringify(message)))
    await pool.finished()`
  const root = new URL('../..', import.meta.url)
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', source], {
    encoding: 'utf8',
    cwd: root,
    timeout: 30_000,
  })
  t.deepEqual(JSON.parse(printed), ['Capture', 7])
})

/** Programs that are not netring's own: the caller's, and somebody else's in the way. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { addon } from '../../src/addon/binding.js'
import { native } from '../../src/errors/native.js'
import { FanoutPool } from '../../src/index.js'
import { checkXdpOptions } from '../../src/xdp/options.js'
import { XdpSocket } from '../../src/xdp/xdp-socket.js'
import { runModule } from '../helpers/child.js'
import { compile } from '../helpers/compile.js'
import { frame, numbered, numbers, upTo } from '../../testkit/frames.mjs'
import { network, type End } from '../helpers/network.js'
import { collected, module } from '../helpers/pool.js'
import { injectorOn, receive, sendAll } from '../helpers/traffic.js'
import { modes, programOn, small, xdpOn, xdpTest } from '../helpers/xdp.js'

/** Runs code in `at`'s namespace that has a map and a program (xdp-exec.c), which is attached by then or not. */
function withProgram(t: ExecutionContext, at: End, attached: boolean, source: string): unknown {
  const program = compile('xdp-exec.c')
  t.teardown(program.remove)
  const start = `
    const { execFileSync } = await import('node:child_process')
    const shown = () => execFileSync('ip', ['-d', 'link', 'show', '${at.name}'], { encoding: 'utf8' }).includes('over_100_bytes')
    const program = { xskMapFd: Number(process.env.XSK_MAP), fd: Number(process.env.XSK_PROGRAM) }
    const update = (map, name) => {
      const stdio = ['ignore', 'pipe', 'inherit', Number(process.env.XSK_LINK), program.xskMapFd]
      execFileSync('${program.path}', ['--update', '3', map, name], { stdio })
    }
    const outcome = {}
    const take = async (injector, socket) => {
      const lengths = [60, 200, 99, 100, 1000]
      await traffic.sendAll(injector, lengths.map((length, number) => frames.frame(length, number)))
      const packets = await traffic.receiveNoMoreThan(socket, 3)
      return packets.map(({ data, length }) => [frames.numberOf(data), length])
    }`
  const end = '\nconsole.log(JSON.stringify(outcome)); process.exit()'
  return runModule(start + source + end, ['ip', 'netns', 'exec', at.netns, program.path, attached ? at.name : '-'])
}

const longOnes = [
  [1, 200],
  [3, 100],
  [4, 1000],
]

for (const attach of modes) {
  xdpTest(`${attach} mode: the caller's program is attached, decides, and goes with the socket`, (t) => {
    const { a, b } = network(t)
    const outcome = withProgram(
      t,
      b,
      false,
      `
      const injector = netring.Injector.open('${a.name}', { netns: '${a.netns}' })
      for (const again of [1, 2]) {
        const socket = netring.XdpSocket.open('${b.name}', { mode: 'rx', attach: '${attach}', program })
        outcome.during = [socket.attached, shown()]
        outcome.taken = await take(injector, socket)
        socket.close()
        outcome.after = shown()
      }`,
    )
    t.deepEqual(outcome, { during: [attach, true], taken: longOnes, after: false })
  })
}

xdpTest('sockets go into the map of a program that the caller has attached, which stays', (t) => {
  const { a, b } = network(t)
  const outcome = withProgram(
    t,
    b,
    true,
    `
    const injector = netring.Injector.open('${a.name}', { netns: '${a.netns}' })
    const { xskMapFd } = program
    for (const again of [1, 2]) {
      const socket = netring.XdpSocket.open('${b.name}', { mode: 'rx', program: { xskMapFd } })
      outcome.during = [socket.attached, shown()]
      outcome.taken = await take(injector, socket)
      socket.close()
      outcome.after = shown()
    }`,
  )
  t.deepEqual(outcome, { during: ['native', true], taken: longOnes, after: true })
})

xdpTest('the caller gives the link another program over the same map, and packets go on coming', (t) => {
  const { a, b } = network(t)
  const outcome = withProgram(
    t,
    b,
    true,
    `
    const injector = netring.Injector.open('${a.name}', { netns: '${a.netns}' })
    const { xskMapFd } = program
    const socket = netring.XdpSocket.open('${b.name}', { mode: 'rx', program: { xskMapFd } })
    const wait = () => socket.readable({ signal: AbortSignal.timeout(3000) }).catch((error) => error.name === 'TimeoutError' ? 'nothing' : error.code)
    update('4', 'another')
    outcome.waited = await wait()
    outcome.another = [socket.attached, ...(await take(injector, socket))]
    // What libxdp puts there: those that it calls use the map.
    update('-', 'xdp_dispatcher')
    outcome.waitedAgain = await wait()
    outcome.dispatcher = socket.attached
    update('tail', 'calls_others')
    outcome.tail = socket.attached
    update('-', 'stranger')
    outcome.stranger = socket.attached
    outcome.lost = await wait()`,
  )
  t.deepEqual(outcome, {
    waited: 'nothing',
    another: ['native', ...longOnes],
    waitedAgain: 'nothing',
    dispatcher: 'native',
    tail: 'native',
    stranger: 'none',
    lost: 'ERR_NETRING_XDP_PROGRAM',
  })
})

xdpTest("a map goes with its own program or a dispatcher, and a stranger's is named", (t) => {
  const { b } = network(t)
  const outcome = withProgram(
    t,
    b,
    true,
    `
    const open = () => {
      try {
        netring.XdpSocket.open('${b.name}', { mode: 'rx', program: { xskMapFd: program.xskMapFd } }).close()
      } catch (error) { return error.code + ' ' + error.message }
    }
    update('-', 'stranger')
    outcome.stranger = open()
    update('-', 'xdp_dispatcher')
    outcome.dispatcher = open() ?? 'opened'`,
  ) as { stranger: string; dispatcher: string }
  t.regex(outcome.stranger, /^ERR_NETRING_XDP_PROGRAM .*program \d+ \("stranger", native\) does not use this map/)
  t.is(outcome.dispatcher, 'opened')
})

xdpTest('a gate without a program stays shut, says so each time, and opens once there is one', async (t) => {
  const { a, b } = network(t, { queues: 2 })
  const { netns } = b
  const { native: options } = checkXdpOptions({ ...small, netns })
  const shared = addon().NativeSharedProgram.prepare(b.name, options)
  const program = { xskMapFd: shared.mapFd() }
  const opened = addon().NativeXdpSocket.open(b.name, { ...options, program, paused: true })
  const socket = XdpSocket.adopt(b.name, opened, 100)
  t.teardown(() => {
    socket.close()
    shared.close()
  })
  const open = (): void => {
    native(() => {
      opened.start()
    })
  }
  const attach = (): void => {
    native(() => {
      shared.attach()
    })
  }
  const refused = (call: () => void, message: RegExp): void => {
    for (const time of ['first', 'again']) t.throws(call, { code: 'ERR_NETRING_XDP_PROGRAM', message }, time)
  }
  refused(open, /none is attached/)
  const other = xdpOn(t, b, { ...small, queues: 1 })
  refused(attach, /has an XDP program/)
  refused(open, /does not use this map/)
  other.close()
  attach()
  open()
  await sendAll(injectorOn(t, a), numbered(20))
  t.deepEqual(numbers(await receive(socket, 20)), upTo(20))
})

xdpTest('descriptors that are no map and no program are refused, and nothing is attached', (t) => {
  const { b } = network(t)
  const outcome = withProgram(
    t,
    b,
    false,
    `
    const refusal = (program) => {
      try { netring.XdpSocket.open('${b.name}', { mode: 'rx', program }) } catch (error) { return error.code }
    }
    outcome.none = refusal({ xskMapFd: 9999 })
    outcome.mapOnly = refusal({ xskMapFd: program.xskMapFd })
    outcome.noMap = refusal({ xskMapFd: program.fd, fd: program.fd })
    outcome.otherMap = refusal({ xskMapFd: Number(process.env.ARRAY_MAP), fd: program.fd })
    outcome.noProgram = refusal({ xskMapFd: program.xskMapFd, fd: program.xskMapFd })
    outcome.shown = shown()`,
  )
  t.deepEqual(outcome, {
    none: 'ERR_NETRING_CONFIG',
    mapOnly: 'ERR_NETRING_XDP_PROGRAM',
    noMap: 'ERR_NETRING_CONFIG',
    otherMap: 'ERR_NETRING_CONFIG',
    noProgram: 'ERR_NETRING_CONFIG',
    shown: false,
  })
})

/** Attaches a program as `ip link` does: no process holds it. */
function attachForeign(t: ExecutionContext, at: End, how: 'xdpdrv' | 'xdpgeneric'): void {
  const folder = mkdtempSync(join(tmpdir(), 'netring-xdp-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true })
  })
  const [source, object] = [join(folder, 'foreign.c'), join(folder, 'foreign.o')]
  writeFileSync(source, '__attribute__((section("xdp"))) int foreigner(void *context) { return 2; }\n')
  execFileSync('clang', ['-O2', '-g', '-target', 'bpf', '-c', source, '-o', object])
  at.ip('link', 'set', 'dev', at.name, how, 'obj', object, 'sec', 'xdp')
}

for (const [how, attach] of [
  ['xdpdrv', 'native'],
  ['xdpgeneric', 'skb'],
] as const) {
  xdpTest(`a program that ip link attached (${how}) is named and stays, and is replaced when asked`, async (t) => {
    const { a, b } = network(t)
    attachForeign(t, b, how)
    const inTheWay = { code: 'ERR_NETRING_XDP_PROGRAM', message: new RegExp(`"foreigner", ${attach}`) }
    t.throws(() => xdpOn(t, b, small), inTheWay)
    await t.throwsAsync(FanoutPool.start(b.name, module('idle'), { backend: 'xdp', xdp: { netns: b.netns } }), inTheWay)
    t.throws(() => xdpOn(t, b, { ...small, replace: true, queues: 9 }), { code: 'ERR_NETRING_BIND' })
    t.true(b.ip('-d', 'link', 'show', b.name).includes('foreigner'), 'a failure leaves it')
    const socket = xdpOn(t, b, { ...small, replace: true })
    t.false(b.ip('-d', 'link', 'show', b.name).includes('foreigner'))
    await sendAll(injectorOn(t, a), numbered(20))
    t.deepEqual(numbers(await receive(socket, 20)), upTo(20))
    socket.close()
    t.false(programOn(b), 'it does not come back')
  })
}

xdpTest('a socket whose program somebody replaces says so, and who waits for its packets is told', async (t) => {
  const { a, b } = network(t, { queues: 2 })
  const first = xdpOn(t, b, small)
  const lost = { code: 'ERR_NETRING_XDP_PROGRAM', message: /somebody has detached it or put another in its place/ }
  const loop = (async () => {
    for await (const batch of first) batch.release()
  })()
  t.is(first.attached, 'native')
  const second = xdpOn(t, b, { ...small, queues: 1, replace: true, attach: 'skb' })
  t.is(first.attached, 'none')
  t.is(second.attached, 'skb')
  await t.throwsAsync(loop, lost)
  await t.throwsAsync(first.readable(), lost)
  t.throws(() => first.nextBatch(), lost)
  // It sends as before.
  await sendAll(first, [frame(60, 1)])
  t.is(first.txStats().sent, 1)
  await sendAll(injectorOn(t, a), [frame(60, 2)])
  first.close()
  t.is(first.attached, 'none')
  t.true(programOn(b), 'what took its place stays')
})

xdpTest(
  'a pool that fails to start leaves the program that it was to replace, and one that starts does not',
  async (t) => {
    const { a, b } = network(t, { queues: 2 })
    const present = xdpOn(t, b, small)
    const start = (queues: number): Promise<FanoutPool> =>
      FanoutPool.start(b.name, module('numbers'), {
        backend: 'xdp',
        xdp: { mode: 'rx', frameCount: 256, netns: b.netns, queues, replace: true },
      })
    await t.throwsAsync(start(0), { code: 'ERR_NETRING_BIND', message: /queue 0/ }, 'its queue is taken')
    t.is(present.attached, 'native')
    const sender = xdpOn(t, a, { mode: 'tx' })
    await sendAll(sender, numbered(10))
    t.deepEqual(numbers(await receive(present, 10)), upTo(10))
    const pool = await start(1)
    t.teardown(() => pool.stop())
    t.is(present.attached, 'none')
    const { total, shares } = collected<number>(pool)
    sender.close()
    await sendAll(xdpOn(t, a, { mode: 'tx', queues: 1 }), numbered(10))
    t.is(await total(10), 10)
    t.deepEqual(shares.flat(), upTo(10))
    await pool.stop()
    t.false(programOn(b))
  },
)

/** What is told of interfaces is what ip(8) and ethtool(8) tell. */
import test, { type ExecutionContext } from 'ava'
import { execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import {
  interfaceInfo,
  listInterfaces,
  suggestFanoutThreads,
  suggestProfile,
  type InterfaceInfo,
} from '../src/index.js'
import { testThatNeeds, tun } from './helpers/needs.js'
import { network, type End } from './helpers/network.js'
import { captureOn } from './helpers/traffic.js'

interface Link {
  readonly ifname: string
  readonly link_type: string
  readonly ifindex: number
  readonly mtu: number
  readonly flags: readonly string[]
  readonly address?: string
  readonly num_rx_queues: number
  readonly num_tx_queues: number
}

/** As ip(8) writes flags. */
const flagNames: Record<string, string> = { lowerUp: 'LOWER_UP', pointopoint: 'POINTOPOINT' }

function ethtool(
  run: (command: string, ...args: string[]) => string,
  args: readonly string[],
  pattern: RegExp,
): string | undefined {
  try {
    return pattern.exec(run('ethtool', ...args))?.[1]
  } catch {
    return undefined // says "Operation not supported" and fails
  }
}

const here = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })

/** What the tools say of a link, as InterfaceInfo has it. */
function byTools(run: typeof here, link: Link): Omit<InterfaceInfo, 'flags'> {
  const speed = ethtool(run, [link.ifname], /Speed: (\d+)Mb\/s/)
  return {
    name: link.ifname,
    index: link.ifindex,
    mtu: link.mtu,
    speedMbps: speed === undefined ? undefined : Number(speed),
    driver: ethtool(run, ['-i', link.ifname], /^driver: (.+)$/m),
    rxQueues: link.num_rx_queues,
    txQueues: link.num_tx_queues,
    carrier: link.flags.includes('LOWER_UP'),
    up: link.flags.includes('UP'),
    macAddress: link.address ?? '',
    linkType: ['ether', 'loopback'].includes(link.link_type) ? 'ethernet' : 'raw',
  }
}

/** Flags without those that ip(8) makes up, such as NO-CARRIER, and RUNNING, which it leaves out. */
const comparable = (flags: readonly string[]): string[] =>
  flags
    .map((flag) => flagNames[flag] ?? flag.toUpperCase())
    .filter((flag) => !['NO-CARRIER', 'RUNNING', 'M-DOWN', 'DYNAMIC', 'NOTRAILERS', 'ECHO'].includes(flag))
    .sort()

const withoutFlags = (info: InterfaceInfo): object => {
  const { flags, ...rest } = info
  return Array.isArray(flags) ? rest : info
}

const links = (run: typeof here): Link[] => JSON.parse(run('ip', '-d', '-j', 'link', 'show')) as Link[]

test.serial('listInterfaces() says of this namespace what ip and ethtool say', (t) => {
  const wanted = links(here)
  const listed = listInterfaces()
  t.deepEqual(
    listed.map(withoutFlags),
    wanted.map((link) => byTools(here, link)),
  )
  for (const [index, { flags }] of listed.entries()) t.deepEqual(comparable(flags), comparable(wanted[index]!.flags))
  t.true(listed.some(({ name, flags }) => name === 'lo' && flags.includes('loopback')))
  for (const info of listed) t.deepEqual(interfaceInfo(info.name), info)
})

function check(t: ExecutionContext, at: End): InterfaceInfo {
  const wanted = links(at.run)
  for (const netns of [at.netns, `/run/netns/${at.netns}`]) {
    const listed = listInterfaces({ netns })
    t.deepEqual(
      listed.map(withoutFlags),
      wanted.map((link) => byTools(at.run, link)),
    )
    for (const [index, { flags }] of listed.entries()) t.deepEqual(comparable(flags), comparable(wanted[index]!.flags))
  }
  return interfaceInfo(at.name, { netns: at.netns })
}

test.serial('another network namespace is told as from inside it', (t) => {
  const { a, b } = network(t, { mtu: 9000, queues: 3 })
  a.ip('link', 'set', a.name, 'address', '02:aa:bb:cc:dd:0e')
  a.ip('link', 'add', 'br0', 'mtu', '1400', 'type', 'bridge')
  t.like(check(t, a), {
    name: 'va',
    mtu: 9000,
    rxQueues: 3,
    txQueues: 3,
    macAddress: '02:aa:bb:cc:dd:0e',
    driver: 'veth',
    speedMbps: 10_000,
    up: true,
    carrier: true,
  })
  t.like(interfaceInfo('br0', { netns: a.netns }), { mtu: 1400, up: false, carrier: false, speedMbps: undefined })
  t.true(check(t, b).index > 0)
  t.throws(() => interfaceInfo('va', { netns: b.netns }), { code: 'ERR_NETRING_INTERFACE_NOT_FOUND' })
  t.throws(() => interfaceInfo('va'), { code: 'ERR_NETRING_INTERFACE_NOT_FOUND' })
})

test.serial('state and flags follow the link', (t) => {
  const { a, b } = network(t)
  b.ip('link', 'set', b.name, 'down')
  t.like(check(t, a), { up: true, carrier: false })
  t.like(check(t, b), { up: false, carrier: false })
  b.ip('link', 'set', b.name, 'up', 'mtu', '1234')
  t.like(check(t, b), { up: true, carrier: true, mtu: 1234 })
  b.ip('link', 'set', b.name, 'allmulticast', 'on', 'arp', 'off')
  const { flags } = check(t, b)
  for (const flag of ['up', 'broadcast', 'multicast', 'allmulti', 'noarp', 'lowerUp', 'running'])
    t.true(flags.includes(flag), flag)
  t.false(flags.includes('promisc'))
  b.ip('link', 'set', b.name, 'promisc', 'on')
  t.true(check(t, b).flags.includes('promisc'))
})

test.serial("a capture's own promiscuity is no flag of the interface", (t) => {
  const { b } = network(t)
  const before = interfaceInfo(b.name, { netns: b.netns })
  captureOn(t, b, { promiscuous: true })
  t.deepEqual(interfaceInfo(b.name, { netns: b.netns }), before)
})

test.serial('hundreds of interfaces are listed, each once', (t) => {
  const { a } = network(t)
  const count = 300
  // One command: `ip -batch -` reads many.
  execFileSync('ip', ['-n', a.netns, '-batch', '-'], {
    input: Array.from({ length: count }, (_, index) => `link add many${index} type bridge`).join('\n'),
  })
  const names = listInterfaces({ netns: a.netns }).map(({ name }) => name)
  t.is(new Set(names).size, names.length)
  t.deepEqual(
    names,
    links(a.run).map(({ ifname }) => ifname),
  )
  t.true(names.length >= count)
})

testThatNeeds(tun, 'interfaces without an Ethernet address are told too', (t) => {
  const { a } = network(t)
  a.ip('tuntap', 'add', 'tun0', 'mode', 'tun')
  check(t, a)
  const info = interfaceInfo('tun0', { netns: a.netns })
  t.is(info.macAddress, '')
  t.true(info.flags.includes('pointopoint'))
})

test.serial('suggestions follow MTU, speed and queues', (t) => {
  const id = `nr${process.pid}`
  const cpus = availableParallelism()
  const remove: string[] = []
  t.teardown(() => {
    for (const name of remove) here('ip', 'link', 'del', name)
  })
  const add = (name: string, ...args: string[]): string => {
    here('ip', 'link', 'add', name, ...args)
    remove.push(name)
    return name
  }
  const plain = add(`${id}b`, 'type', 'bridge')
  t.is(interfaceInfo(plain).speedMbps, undefined)
  t.is(suggestProfile(plain), 'default')
  t.is(suggestFanoutThreads(plain), cpus)
  const jumbo = add(`${id}j`, 'mtu', '9000', 'type', 'bridge')
  t.is(suggestProfile(jumbo), 'jumboFrames')
  const fast = add(`${id}v`, 'numrxqueues', '2', 'numtxqueues', '2', 'type', 'veth', 'peer', 'name', `${id}w`)
  t.is(interfaceInfo(fast).speedMbps, 10_000)
  t.is(suggestProfile(fast), 'highThroughput')
  t.is(interfaceInfo(fast).rxQueues, 2)
  t.is(suggestFanoutThreads(fast), Math.min(cpus, 2))
  for (const name of ['no-such-if0']) {
    t.throws(() => suggestProfile(name), { code: 'ERR_NETRING_INTERFACE_NOT_FOUND' })
    t.throws(() => suggestFanoutThreads(name), { code: 'ERR_NETRING_INTERFACE_NOT_FOUND' })
  }
})

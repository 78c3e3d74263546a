/** Interfaces: what they are and what suits them. */
import { availableParallelism } from 'node:os'
import { addon, type NativeInterfaceInfo } from '../addon/binding.js'
import type { Profile } from '../capture/options.js'
import { checkObject, checkString } from '../check/arguments.js'
import { native } from '../errors/native.js'
import { linkTypeOf, type LinkType } from '../packet/link-type.js'

/** What is known of an interface. */
export interface InterfaceInfo {
  /** Its name. */
  readonly name: string
  /** Its number in its network namespace. */
  readonly index: number
  /** Bytes of the largest layer-3 packet. */
  readonly mtu: number
  /** Undefined where the link has no speed or does not know it. */
  readonly speedMbps: number | undefined
  /** Undefined where the driver has no name. */
  readonly driver: string | undefined
  /** Receive queues that it was made with. */
  readonly rxQueues: number
  /** Transmit queues that it was made with. */
  readonly txQueues: number
  /** The lower layer is up: a cable, a peer. */
  readonly carrier: boolean
  /** Administratively up. */
  readonly up: boolean
  /** IFF_* flags of netdevice(7), such as 'up', 'broadcast', 'promisc', 'lowerUp'. */
  readonly flags: readonly string[]
  /** As 'aa:bb:cc:dd:ee:ff'; empty where it has none. */
  readonly macAddress: string
  /** What packets of it begin with. */
  readonly linkType: LinkType
}

function describe(info: NativeInterfaceInfo): InterfaceInfo {
  return {
    ...info,
    speedMbps: info.speedMbps ?? undefined,
    driver: info.driver ?? undefined,
    linkType: linkTypeOf(info.linkType),
  }
}

function namespaceOf(options: { readonly netns?: string } | undefined): string | undefined {
  const { netns } = checkObject('options', options, ['netns'])
  return netns === undefined ? undefined : checkString('options.netns', netns)
}

/**
 * Every interface of this process's network namespace, or of another one. Needs no privilege for one's own.
 * @throws TypeError about `options`
 * @throws NetringError ERR_NETRING_CONFIG, ERR_NETRING_PERMISSION about the namespace, ERR_NETRING_IO
 */
export function listInterfaces(options?: { readonly netns?: string }): InterfaceInfo[] {
  const netns = namespaceOf(options)
  return native(() => addon().nativeListInterfaces(netns)).map(describe)
}

/**
 * One interface.
 * @throws TypeError about `name` or `options`
 * @throws NetringError ERR_NETRING_INTERFACE_NOT_FOUND, ERR_NETRING_CONFIG, ERR_NETRING_PERMISSION about the namespace
 */
export function interfaceInfo(name: string, options?: { readonly netns?: string }): InterfaceInfo {
  const checked = checkString('name', name)
  const netns = namespaceOf(options)
  return describe(native(() => addon().nativeInterfaceInfo(checked, netns)))
}

const TEN_GIGABIT_MBPS = 10_000
const JUMBO_MTU = 2000

/**
 * The profile that suits an interface: highThroughput from 10 Gbit/s, jumboFrames for MTUs past 2000 bytes, else default.
 * @throws TypeError about `name`
 * @throws NetringError ERR_NETRING_INTERFACE_NOT_FOUND
 */
export function suggestProfile(name: string): Profile {
  const { mtu, speedMbps } = interfaceInfo(name)
  if (speedMbps !== undefined && speedMbps >= TEN_GIGABIT_MBPS) return 'highThroughput'
  return mtu > JUMBO_MTU ? 'jumboFrames' : 'default'
}

/**
 * How many captures in a fanout group suit an interface: one a CPU that this process may use; for an interface with
 * several receive queues no more than those.
 * @throws TypeError about `name` or `options`
 * @throws NetringError as interfaceInfo()
 */
export function suggestFanoutThreads(name: string, options?: { readonly netns?: string }): number {
  const { rxQueues } = interfaceInfo(name, options)
  const cpus = availableParallelism()
  return rxQueues > 1 ? Math.min(cpus, rxQueues) : cpus
}

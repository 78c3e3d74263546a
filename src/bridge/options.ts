/** Options of a bridge: each side's, its backend, its hook. */
import type { NativeBridgeFilters, NativeSideOptions, NativeXdpSideOptions } from '../addon/binding.js'
import { captureKeys, checkCaptureOptions, type CaptureOptions } from '../capture/options.js'
import { checkObject, checkOneOf, refusal, wrongType } from '../check/arguments.js'
import { checkExpression } from '../filter/filter.js'
import { expressionOf, type PacketFilter } from '../filter/packet-filter.js'
import { checkInjectorOptions, injectorKeys, type InjectorOptions } from '../injector/options.js'
import type { Packet } from '../packet/packet.js'
import { checkXdpOptions } from '../xdp/options.js'
import { bridgeDirections, type BridgeDirection } from './engine.js'

/**
 * One side of a bridge: how it receives and how it sends. What is not given is as in profile 'lowLatency', and
 * `promiscuous` is true. `frameSize` and `frameCount` are those of the injector: together they say how much may wait in
 * the kernel to be sent. A bridge never hears what it sends itself and leaves frames whole, so `ignoreOutgoing: false`,
 * `snapLen`, `vlan: 'metadata'` and `onMalformed: 'stop'` are refused.
 */
export type SideOptions = CaptureOptions & InjectorOptions

/**
 * What becomes of a packet: 'forward' sends it on as its bytes are then (edited in place, if you like), 'drop' does not, and
 * bytes are sent in its place exactly as they are. Called for one packet after the other; it is over once it returns.
 */
export type BridgeHook = (packet: Packet, direction: BridgeDirection) => 'forward' | 'drop' | Uint8Array

/** Options of {@link Bridge.open}, all optional. */
export interface BridgeOptions {
  /** How side `a` receives and sends. */
  readonly a?: SideOptions
  /** How side `b` receives and sends. */
  readonly b?: SideOptions
  /** Packet sockets, or AF_XDP (which knows no offloads: see docs/bridge.md). Default 'packet'. */
  readonly backend?: 'packet' | 'xdp'
  /**
   * What it matches is forwarded, the rest dropped and counted, natively: for both directions, or for each its own. A packet's VLAN
   * tag is in its bytes here. Default: everything.
   */
  readonly filter?: PacketFilter | string | Readonly<Partial<Record<BridgeDirection, PacketFilter | string>>>
  /** Decides on every packet, on this thread; with `filter` on every one that it matches. Without it a native thread forwards everything. */
  readonly onPacket?: BridgeHook
}

/** What {@link checkBridgeOptions} makes of options. */
export interface CheckedBridgeOptions {
  readonly sides:
    | { readonly backend: 'packet'; readonly a: NativeSideOptions; readonly b: NativeSideOptions }
    | { readonly backend: 'xdp'; readonly a: NativeXdpSideOptions; readonly b: NativeXdpSideOptions }
  readonly filters: NativeBridgeFilters
  readonly onPacket: BridgeHook | undefined
  readonly pollTimeoutMs: number
  readonly sameNamespace: boolean
}

/**
 * Checks every option and fills in the defaults.
 * @throws TypeError, RangeError naming the option; NetringError ERR_NETRING_CONFIG for one that would harm frames
 */
export function checkBridgeOptions(options: BridgeOptions | undefined): CheckedBridgeOptions {
  const given = checkObject('options', options, ['a', 'b', 'backend', 'filter', 'onPacket'])
  const { onPacket } = given
  if (onPacket !== undefined && typeof onPacket !== 'function') {
    throw wrongType('options.onPacket', 'a function', onPacket)
  }
  const backend = checkOneOf('options.backend', given.backend, ['packet', 'xdp'], 'packet')
  const hooked = onPacket !== undefined
  const [a, b] = [checkSide('options.a', given.a, hooked), checkSide('options.b', given.b, hooked)]
  const common = {
    filters: checkFilters(given.filter),
    onPacket,
    pollTimeoutMs: Math.min(a.pollTimeoutMs, b.pollTimeoutMs),
    sameNamespace: a.native.capture.netns === b.native.capture.netns,
  }
  if (backend === 'packet') return { ...common, sides: { backend, a: a.native, b: b.native } }
  const xdp = [xdpSide('options.a', given.a), xdpSide('options.b', given.b)] as const
  return { ...common, sides: { backend, a: xdp[0], b: xdp[1] } }
}

function checkFilters(filter: BridgeOptions['filter']): NativeBridgeFilters {
  const name = 'options.filter'
  if (filter === undefined) return {}
  if (typeof filter === 'string' || expressionOf(filter) !== undefined) {
    const both = checkExpression(name, filter)
    return { aToB: both, bToA: both }
  }
  const { aToB, bToA } = checkObject(name, filter as Partial<Record<BridgeDirection, unknown>>, bridgeDirections)
  return {
    ...(aToB !== undefined && { aToB: checkExpression(`${name}.aToB`, aToB) }),
    ...(bToA !== undefined && { bToA: checkExpression(`${name}.bToA`, bToA) }),
  }
}

/** What an AF_XDP socket has of a side's options. */
const xdpKeys: readonly string[] = ['frameSize', 'frameCount', 'promiscuous', 'pollTimeoutMs', 'netns']

function xdpSide(name: string, side: SideOptions = {}): NativeXdpSideOptions {
  for (const [key, value] of Object.entries(side)) {
    if (value !== undefined && !xdpKeys.includes(key)) {
      throw refusal(`${name}.${key} does not go with options.backend 'xdp', which takes ${xdpKeys.join(', ')}`)
    }
  }
  const { frameSize, frameCount, netns } = side
  const given = Object.fromEntries(
    Object.entries({ frameSize, frameCount, netns }).filter(([, value]) => value !== undefined),
  )
  // What is forwarded does not wait for more of its kind.
  const { native } = checkXdpOptions({ queues: 'all', coalesceUs: 0, ...given }, name)
  return { xdp: native, promiscuous: side.promiscuous ?? true }
}

/** Values that would cut frames, change them, send them in circles or stop at one. */
const harmful: readonly (readonly [keyof SideOptions, (value: unknown) => boolean, string])[] = [
  ['snapLen', () => true, 'a frame that is cut cannot be sent on'],
  ['ignoreOutgoing', (value) => value === false, 'the bridge would send on what it has sent itself, for ever'],
  ['vlan', (value) => value === 'metadata', 'frames would lose their VLAN tags'],
  ['onMalformed', (value) => value === 'stop', 'a frame that is refused never stops a bridge'],
]

function checkSide(
  name: string,
  options: SideOptions | undefined,
  hooked: boolean,
): { readonly native: NativeSideOptions; readonly pollTimeoutMs: number } {
  const given = checkObject(name, options, [...new Set([...captureKeys, ...injectorKeys])])
  const pick = (keys: readonly string[]): Record<string, unknown> =>
    Object.fromEntries(
      keys.map((key) => [key, given[key as keyof SideOptions]] as const).filter(([, value]) => value !== undefined),
    )
  // Of the two frame sizes only the injector's says anything.
  const ring = pick(captureKeys.filter((key) => key !== 'frameSize'))
  const capture = checkCaptureOptions(
    // Only a hook reads the hash.
    { profile: 'lowLatency', promiscuous: true, fillRxhash: hooked, ignoreOutgoing: true, ...ring },
    name,
  )
  const injector = checkInjectorOptions(pick(injectorKeys), name)
  for (const [key, harms, why] of harmful) {
    const value = given[key]
    if (value !== undefined && harms(value)) {
      throw refusal(`${name}.${key} ${JSON.stringify(value)} is not for a bridge: ${why}`)
    }
  }
  return { native: { capture: capture.native, injector }, pollTimeoutMs: capture.pollTimeoutMs }
}

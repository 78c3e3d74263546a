/** Filters in tcpdump's language, compiled. */
import { isIPv4 } from 'node:net'
import { addon, type NativeExpression, type NativeFilter } from '../addon/binding.js'
import {
  checkBytes,
  checkInteger,
  checkObject,
  checkOneOf,
  checkSignal,
  constructing,
  wrongType,
  wrongValue,
} from '../check/arguments.js'
import type { WaitOptions } from '../check/wait.js'
import { native } from '../errors/native.js'
import { NetringError } from '../errors/netring-error.js'
import { linkTypeNumber, linkTypeOf, type LinkType } from '../packet/link-type.js'
import { lookUp } from './hosts.js'
import type { BpfInstruction } from './program.js'
import { select, type FilteredBatch } from './select.js'

/** Options of {@link PacketFilter.compile}, all optional. */
export interface PacketFilterOptions {
  /** What packets begin with. Default 'ethernet'. */
  readonly linkType?: LinkType
  /** How much of a packet that matches is kept: what `instructions` return. Default 262144. */
  readonly snapLen?: number
  /** The network's mask, dotted, which `ip broadcast` needs. */
  readonly netmask?: string
  /**
   * Where a VLAN tag is: in the bytes (files, AF_XDP, memory), or in the metadata of a packet socket. Only for `instructions`
   * that you attach yourself: a source that is given this filter compiles it for the place where its own tags are. Default 'bytes'.
   */
  readonly vlan?: 'bytes' | 'metadata'
}

/** The largest packet that is taken whole. */
const WHOLE_PACKET = 262_144

const keys = ['linkType', 'snapLen', 'netmask', 'vlan'] as const

/** What a filter was made of, for compiling it again elsewhere. */
interface Recipe {
  readonly source: NativeExpression
  readonly linkType: number
  readonly target: 'memory' | 'socket'
}

/** What is inside of a filter. Not its own fields: whatever has the members of a PacketFilter is one to the compiler of TypeScript. */
interface Inside {
  readonly recipe: Recipe
  /** For each link type that packets were of. */
  readonly compiled: Map<number, NativeFilter>
  instructions?: readonly BpfInstruction[]
}

const insides = new WeakMap<object, Inside>()

function inside(filter: PacketFilter): Inside {
  const found = insides.get(filter)
  if (found === undefined) throw new TypeError('this is no PacketFilter')
  return found
}

/** What the addon compiles for the place where the filter is used; undefined for what is no filter. */
export function expressionOf(value: unknown): NativeExpression | undefined {
  return typeof value === 'object' && value !== null ? insides.get(value)?.recipe.source : undefined
}

/** What the addon compiles of a text alone. */
export function plainExpression(text: string): NativeExpression {
  return { text, snapLen: WHOLE_PACKET, hosts: [] }
}

function checkExpression(expression: unknown): string {
  if (typeof expression !== 'string') throw wrongType('expression', 'a string', expression)
  return expression
}

function checkRecipe(expression: unknown, options: PacketFilterOptions, more: readonly string[]): Recipe {
  const text = checkExpression(expression)
  const given = checkObject('options', options, [...keys, ...more])
  const { netmask } = given
  if (netmask !== undefined) {
    if (typeof netmask !== 'string') throw wrongType('options.netmask', 'a string', netmask)
    if (!isIPv4(netmask)) throw wrongValue('options.netmask', 'must be a mask such as 255.255.255.0', netmask)
  }
  const vlan = checkOneOf('options.vlan', given.vlan, ['bytes', 'metadata'], 'bytes')
  return {
    source: {
      text,
      snapLen: checkInteger('options.snapLen', given.snapLen, WHOLE_PACKET, 1),
      hosts: [],
      ...(netmask !== undefined && { netmask }),
    },
    linkType: linkTypeNumber('options.linkType', given.linkType ?? 'ethernet'),
    target: vlan === 'metadata' ? 'socket' : 'memory',
  }
}

/**
 * An expression in tcpdump's filter language, compiled: for bytes in memory by matches() and select(), and as `filter` of
 * whatever receives, which compiles it for its own interface. docs/filters.md has the language by example.
 *
 * @example
 * ```ts
 * import { Capture, PacketFilter } from 'netring'
 *
 * const dns = PacketFilter.compile('udp port 53')
 * using capture = Capture.open('eth0', { filter: 'ip or ip6' })
 * for await (const batch of capture) {
 *   for (const index of dns.select(batch)) console.log(batch.at(index)?.timestamp)
 * }
 * ```
 */
export class PacketFilter {
  /** The expression as it was given. */
  readonly expression: string
  /** What packets begin with, as it was compiled. */
  readonly linkType: LinkType

  private constructor(recipe: Recipe, compiled: NativeFilter) {
    constructing('PacketFilter', addon().NativeFilter, compiled, 'compile')
    this.expression = recipe.source.text
    this.linkType = linkTypeOf(recipe.linkType)
    insides.set(this, { recipe, compiled: new Map([[recipe.linkType, compiled]]) })
  }

  /**
   * Compiles an expression. Names of services and protocols are known; a host's name is not looked up here:
   * {@link compileAsync} does that.
   * @throws NetringError ERR_NETRING_FILTER, which says what is wrong and at which character
   * @throws TypeError, RangeError for an unknown, ill-typed or out-of-range option
   */
  static compile(expression: string, options: PacketFilterOptions = {}): PacketFilter {
    const recipe = checkRecipe(expression, options, [])
    return new PacketFilter(recipe, compile(recipe, recipe.linkType))
  }

  /**
   * The same, after having looked up host names, as the system does it (getaddrinfo): a name stands for all its addresses, IPv4 and
   * IPv6. Rejects as compile() throws, with ERR_NETRING_FILTER for a name that has no address, or with `signal.reason`.
   */
  static async compileAsync(
    expression: string,
    options: PacketFilterOptions & WaitOptions = {},
  ): Promise<PacketFilter> {
    const recipe = checkRecipe(expression, options, ['signal'])
    const signal = checkSignal('options.signal', options.signal)
    signal?.throwIfAborted()
    const names = native(() => addon().nativeUnknownHosts(recipe.source, recipe.linkType, recipe.target))
    const hosts = names.length === 0 ? [] : await lookUp(names, signal)
    const resolved = { ...recipe, source: { ...recipe.source, hosts } }
    return new PacketFilter(resolved, compile(resolved, resolved.linkType))
  }

  /** The program in classic BPF. */
  get instructions(): readonly BpfInstruction[] {
    const own = inside(this)
    own.instructions ??= Object.freeze(
      compiledFor(own)
        .instructions()
        .map((step) => Object.freeze(step)),
    )
    return own.instructions
  }

  /**
   * Whether a packet of this link type matches. `originalLength` is what `len`, `less` and `greater` see: the length on the wire.
   * Default: that of the frame.
   * @throws TypeError, RangeError
   */
  matches(frame: Uint8Array, originalLength?: number): boolean {
    const bytes = checkBytes('frame', frame)
    const length = checkInteger('originalLength', originalLength, bytes.length)
    return compiledFor(inside(this)).matches(bytes, length)
  }

  /**
   * Indices of the packets that match, in order: one native call for the whole batch. The batch's own link type counts.
   * @throws NetringError ERR_NETRING_RELEASED, ERR_NETRING_FILTER where the expression has no meaning for the batch's link type
   */
  select(batch: FilteredBatch): Uint32Array {
    if (batch.released) throw new NetringError('ERR_NETRING_RELEASED', 'the batch has been given back')
    return select(compiledFor(inside(this), linkTypeNumber('batch.linkType', batch.linkType)), batch)
  }

  /** The program as `tcpdump -d` prints it. */
  toString(): string {
    return compiledFor(inside(this)).listing()
  }
}

/** For packets of a link type; default: that which was asked for. */
function compiledFor({ recipe, compiled }: Inside, linkType: number = recipe.linkType): NativeFilter {
  let found = compiled.get(linkType)
  if (found === undefined) {
    found = compile(recipe, linkType)
    compiled.set(linkType, found)
  }
  return found
}

function compile({ source, target }: Recipe, linkType: number): NativeFilter {
  return native(() => addon().NativeFilter.compile(source, linkType, target))
}

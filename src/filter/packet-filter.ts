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
import type { Batch } from '../packet/batch.js'
import { linkTypeNumber, linkTypeOf, type LinkType } from '../packet/link-type.js'
import { lookUp } from './hosts.js'
import type { BpfInstruction } from './program.js'

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

let recipeOf: (filter: PacketFilter) => Recipe

/** What the addon compiles for the place where the filter is used. */
export function expressionOf(filter: PacketFilter): NativeExpression {
  return recipeOf(filter).source
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
  readonly #recipe: Recipe
  /** For each link type that packets were of. */
  readonly #compiled = new Map<number, NativeFilter>()
  #instructions: readonly BpfInstruction[] | undefined

  static {
    recipeOf = (filter) => filter.#recipe
  }

  private constructor(recipe: Recipe, compiled: NativeFilter) {
    this.#compiled.set(recipe.linkType, constructing('PacketFilter', addon().NativeFilter, compiled, 'compile'))
    this.expression = recipe.source.text
    this.linkType = linkTypeOf(recipe.linkType)
    this.#recipe = recipe
  }

  static #of(recipe: Recipe): PacketFilter {
    return new PacketFilter(recipe, compile(recipe, recipe.linkType))
  }

  /**
   * Compiles an expression. Names of services and protocols are known; a host's name is not looked up here:
   * {@link compileAsync} does that.
   * @throws NetringError ERR_NETRING_FILTER, which says what is wrong and at which character
   * @throws TypeError, RangeError for an unknown, ill-typed or out-of-range option
   */
  static compile(expression: string, options: PacketFilterOptions = {}): PacketFilter {
    return PacketFilter.#of(checkRecipe(expression, options, []))
  }

  /**
   * The same, after having looked up host names, as the system does it (getaddrinfo): a name stands for all its addresses, IPv4 and
   * IPv6. Rejects as compile() throws, with ERR_NETRING_FILTER for a name that has no address, or with `signal.reason`.
   */
  static async compileAsync(expression: string, options: PacketFilterOptions & WaitOptions = {}): Promise<PacketFilter> {
    const recipe = checkRecipe(expression, options, ['signal'])
    const signal = checkSignal('options.signal', options.signal)
    signal?.throwIfAborted()
    const names = native(() => addon().nativeUnknownHosts(recipe.source, recipe.linkType, recipe.target))
    if (names.length === 0) return PacketFilter.#of(recipe)
    const hosts = await lookUp(names, signal)
    return PacketFilter.#of({ ...recipe, source: { ...recipe.source, hosts } })
  }

  /** The program in classic BPF. */
  get instructions(): readonly BpfInstruction[] {
    this.#instructions ??= Object.freeze(this.#for(this.#recipe.linkType).instructions().map(Object.freeze<BpfInstruction>))
    return this.#instructions
  }

  #for(linkType: number): NativeFilter {
    let compiled = this.#compiled.get(linkType)
    if (compiled === undefined) {
      compiled = compile(this.#recipe, linkType)
      this.#compiled.set(linkType, compiled)
    }
    return compiled
  }

  /**
   * Whether a packet of this link type matches. `originalLength` is what `len`, `less` and `greater` see: the length on the wire.
   * Default: that of the frame.
   * @throws TypeError, RangeError
   */
  matches(frame: Uint8Array, originalLength?: number): boolean {
    const bytes = checkBytes('frame', frame)
    const length = checkInteger('originalLength', originalLength, bytes.length)
    return this.#for(this.#recipe.linkType).matches(bytes, length)
  }

  /**
   * Indices of the packets that match, in order: one native call for the whole batch. The batch's own link type counts.
   * @throws NetringError ERR_NETRING_RELEASED, ERR_NETRING_FILTER where the expression has no meaning for the batch's link type
   */
  select(batch: Batch): Uint32Array {
    if (batch.released) throw new NetringError('ERR_NETRING_RELEASED', 'the batch has been given back')
    const indices = new Uint32Array(batch.length)
    const { offset, capturedLength, originalLength } = batch.columns
    const compiled = this.#for(linkTypeNumber('batch.linkType', batch.linkType))
    const count = native(() => compiled.select(batch.buffer, offset, capturedLength, originalLength, indices))
    return indices.subarray(0, count)
  }

  /** The program as `tcpdump -d` prints it. */
  toString(): string {
    return this.#for(this.#recipe.linkType).listing()
  }
}

function compile({ source, target }: Recipe, linkType: number): NativeFilter {
  return native(() => addon().NativeFilter.compile(source, linkType, target))
}

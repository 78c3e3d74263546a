/** What `filter` takes, wherever packets come from. */
import type { NativeExpression, NativeFilterOption } from '../addon/binding.js'
import { wrongType } from '../check/arguments.js'
import { expressionOf, plainExpression, type PacketFilter } from './packet-filter.js'
import { checkInstructions, checkProgram, type Program } from './program.js'

/**
 * What decides which packets are taken: an expression in tcpdump's filter language (`'tcp port 443'`, docs/filters.md), such an
 * expression compiled, raw classic BPF, or the descriptor of a loaded eBPF program. An expression is compiled for the
 * interface that it is used on.
 */
export type Filter = Program | PacketFilter | string

/** An expression, if it is one. */
function expression(value: unknown): NativeExpression | undefined {
  return typeof value === 'string' ? plainExpression(value) : expressionOf(value)
}

/** Checks a filter and makes it what the addon takes. Whether an expression is right says the addon. */
export function checkFilter(name: string, value: unknown): NativeFilterOption {
  const source = expression(value)
  if (source !== undefined) return { expression: source }
  return checkProgram(
    name,
    value,
    'a filter expression, a PacketFilter, an array of BPF instructions or an object { fd }',
  )
}

/** The same for AF_XDP, which cannot run a socket's eBPF program. */
export function checkXdpFilter(name: string, value: unknown): NativeFilterOption {
  const source = expression(value)
  if (source !== undefined) return { expression: source }
  if (Array.isArray(value)) return { instructions: checkInstructions(name, value) }
  throw wrongType(name, 'a filter expression, a PacketFilter or an array of BPF instructions', value)
}

/** The same for bytes in memory. */
export function checkExpression(name: string, value: unknown): NativeExpression {
  const source = expression(value)
  if (source !== undefined) return source
  throw wrongType(name, 'a filter expression or a PacketFilter', value)
}

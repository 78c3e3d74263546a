/** Link types: what a packet begins with. */
import { checkInteger, wrongType, wrongValue } from '../check/arguments.js'

/**
 * What every packet begins with: a name of tcpdump's registry (tcpdump.org/linktypes.html) for those that netring knows by
 * name, a number of the registry for any other, and 0xffff_ffff where the registry has none for a kind of interface.
 */
export type LinkType = 'ethernet' | 'raw' | 'ipv4' | 'ipv6' | 'null' | 'loop' | 'linuxSll' | 'linuxSll2' | number

const names: ReadonlyMap<number, LinkType> = new Map<number, LinkType>([
  [0, 'null'],
  [1, 'ethernet'],
  [101, 'raw'],
  [108, 'loop'],
  [113, 'linuxSll'],
  [228, 'ipv4'],
  [229, 'ipv6'],
  [276, 'linuxSll2'],
])

/** The LINKTYPE_ number of a name or number. */
export function linkTypeNumber(name: string, value: unknown): number {
  if (typeof value === 'number') return checkInteger(name, value, 0)
  for (const [number, known] of names) if (known === value) return number
  if (typeof value !== 'string') throw wrongType(name, 'a link type', value)
  throw wrongValue(name, `must be a number or one of ${[...names.values()].join(', ')}`, value)
}

/** The name of a LINKTYPE_ number, or the number. */
export function linkTypeOf(number: number): LinkType {
  return names.get(number) ?? number
}

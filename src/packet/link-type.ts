/** Link types: what a packet begins with. */

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

/** The name of a LINKTYPE_ number, or the number. */
export function linkTypeOf(number: number): LinkType {
  return names.get(number) ?? number
}

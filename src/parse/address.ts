/** Addresses as text. */

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** 'aa:bb:cc:dd:ee:ff', for any number of bytes. */
export function hardwareAddress(bytes: Uint8Array, at: number, length: number): string {
  let text = ''
  for (let byte = at; byte < at + length; byte++) text += `${byte === at ? '' : ':'}${hex[bytes[byte] ?? 0]}`
  return text
}

/** '192.0.2.1'. */
export function ipv4Address(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`
}

/**
 * The form of RFC 5952: lower case, no leading zeros, the first of the longest runs of two or more zero groups as `::`. The
 * IPv4 part of mapped (`::ffff:192.0.2.1`) and of the old compatible addresses is written as such, as inet_ntop(3) does.
 */
export function ipv6Address(bytes: Uint8Array, at: number): string {
  const groups: number[] = []
  for (let group = 0; group < 8; group++) {
    groups.push(((bytes[at + 2 * group] ?? 0) << 8) | (bytes[at + 2 * group + 1] ?? 0))
  }
  const [start, length] = longestZeros(groups)
  if (start === 0 && (length === 6 || (length === 5 && groups[5] === 0xffff))) {
    return `${length === 6 ? '::' : '::ffff:'}${ipv4Address(bytes, at + 12)}`
  }
  const text = (part: number[]): string => part.map((group) => group.toString(16)).join(':')
  if (length < 2) return text(groups)
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`
}

function longestZeros(groups: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0]
  let run = 0
  for (const [index, group] of groups.entries()) {
    run = group === 0 ? run + 1 : 0
    if (run > best[1]) best = [index - run + 1, run]
  }
  return best
}

/** Frames of two ethertypes, and filters that let in one of them. */
import type { Filter } from '../../src/index.js'
import { bpf } from './bpf.js'
import { frame } from '../../testkit/frames.mjs'

export const OTHER = 0x88b6

export function typed(type: number, number: number, length = 60): Buffer {
  const bytes = frame(length, number)
  bytes.writeUInt16BE(type, 12)
  return bytes
}

export const types = (packets: readonly { readonly protocol: number }[]): number[] => [
  ...new Set(packets.map(({ protocol }) => protocol)),
]

export const first = (): Filter => bpf('ether proto 0x88b5')

export const second = (): Filter => bpf('ether proto 0x88b6')

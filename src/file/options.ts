/** Options of a writer of capture files. */
import type { NativeFileWriterOptions } from '../addon/binding.js'
import { checkBoolean, checkInteger, checkObject, checkOneOf, checkString, wrongValue } from '../check/arguments.js'
import { linkTypeNumber, type LinkType } from '../packet/link-type.js'

/** Options of {@link PcapWriter.open}, all optional. */
export interface PcapWriterOptions {
  /** Default: 'pcap' for a name that ends in `.pcap`, else 'pcapng'. Times have nanoseconds in both. */
  readonly format?: 'pcapng' | 'pcap'
  /** What packets begin with. Given, the file has its header at once; else that of the first batch, or Ethernet. */
  readonly linkType?: LinkType
  /** Bytes kept of a packet. Default 262144. */
  readonly snapLen?: number
  /** The first interface's name in the file (pcapng). */
  readonly interfaceName?: string
  /**
   * Begins the next file at whichever comes first; each file is whole. `files`: so many are kept, the oldest is deleted. The
   * name may have `%Y %m %d %H %M %S` (UTC), `%i` (the file's number) and `%%`.
   */
  readonly rotate?: PcapRotation
  /** Writes behind the last whole record of a file that is there. Default false. */
  readonly append?: boolean
}

/** When the next file begins: at whichever comes first. One of `bytes`, `seconds` and `packets` has to be there. */
export interface PcapRotation {
  /** Bytes a file. One has one packet at least, however long. */
  readonly bytes?: number
  /** Seconds from a file's beginning. */
  readonly seconds?: number
  /** Packets a file. */
  readonly packets?: number
  /** Files that are kept. */
  readonly files?: number
}

export const writerDefaults: Required<Pick<PcapWriterOptions, 'snapLen' | 'append'>> = {
  snapLen: 262_144,
  append: false,
}

/** Those of a writer to a stream, and those of one to files. */
export const streamOptions = ['format', 'linkType', 'snapLen', 'interfaceName'] as const
const fileOptions = [...streamOptions, 'rotate', 'append'] as const

export function checkWriterOptions(
  path: string,
  options: PcapWriterOptions | undefined,
  names: readonly string[] = fileOptions,
): NativeFileWriterOptions {
  const given = checkObject('options', options, names)
  if (path.endsWith('.gz')) {
    throw wrongValue('path', 'must not end in .gz: give PcapWriter.to() a compressor of node:zlib', path)
  }
  const named = path.endsWith('.pcap') ? 'pcap' : 'pcapng'
  const rotate = given.rotate && checkRotation(given.rotate)
  return {
    pcap: checkOneOf('options.format', given.format, ['pcapng', 'pcap'], named) === 'pcap',
    snapLen: checkInteger('options.snapLen', given.snapLen, writerDefaults.snapLen, 1, 0x7fff_ffff),
    append: checkBoolean('options.append', given.append, writerDefaults.append),
    ...(given.linkType !== undefined && { linkType: checkLinkType(given.linkType) }),
    ...(given.interfaceName !== undefined && {
      interfaceName: checkString('options.interfaceName', given.interfaceName),
    }),
    ...(rotate && { rotate }),
  }
}

function checkLinkType(linkType: LinkType): number {
  const number = linkTypeNumber('options.linkType', linkType)
  if (number > 0xffff) {
    throw wrongValue('options.linkType', 'must be a link type that capture files have a number for', linkType)
  }
  return number
}

function checkRotation(rotate: NonNullable<PcapWriterOptions['rotate']>): NativeFileWriterOptions['rotate'] {
  const given = checkObject('options.rotate', rotate, ['bytes', 'seconds', 'packets', 'files'])
  const limits: Record<string, number> = {}
  for (const [name, value] of Object.entries(given)) {
    const most = name === 'files' ? 0xffff_ffff : Number.MAX_SAFE_INTEGER
    if (value !== undefined) limits[name] = checkInteger(`options.rotate.${name}`, value, 1, 1, most)
  }
  if (limits.bytes === undefined && limits.seconds === undefined && limits.packets === undefined) {
    throw wrongValue('options.rotate', 'must have bytes, seconds or packets', rotate)
  }
  return limits
}

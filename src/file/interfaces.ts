/** What a capture file says of the interfaces that its packets came from. */
import type { NativeFileInterface } from '../addon/binding.js'
import { linkTypeOf, type LinkType } from '../packet/link-type.js'

/** An interface that a capture file describes. A pcap file has one. */
export interface PcapInterface {
  /** Its name, where the file has one (pcapng). */
  readonly name: string | undefined
  /** A text for people (pcapng). */
  readonly description: string | undefined
  /** What its packets begin with. */
  readonly linkType: LinkType
  /** The most bytes of a packet that were kept. */
  readonly snapLen: number
  /** The unit of its times in the file, units a second; they are nanoseconds here. */
  readonly timestampResolution: number
  /** What the file's writer counted (pcapng), once the reader has come to it: mostly at the file's end. */
  readonly stats: PcapInterfaceStats | undefined
}

/** Counts of a capture as the file has them; undefined where it does not say. */
export interface PcapInterfaceStats {
  /** Packets that the interface received. */
  readonly received: number | undefined
  /** Packets that were dropped for want of room. */
  readonly dropped: number | undefined
}

export function interfaceOf(from: NativeFileInterface): PcapInterface {
  const { name, description, linkType, snapLen, timestampResolution, stats } = from
  return {
    name,
    description,
    linkType: linkTypeOf(linkType),
    snapLen,
    timestampResolution,
    stats: stats && { received: stats.received, dropped: stats.dropped },
  }
}

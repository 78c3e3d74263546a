/** What is known of a packet. */
import type { ParsedPacket } from '../parse/packet.js'
import type { Direction } from './columns.js'

/** What is known of a packet. After the batch was released every field throws `ERR_NETRING_RELEASED`. */
export interface PacketFields {
  /** Nanoseconds since the epoch. Allocates a BigInt; `seconds` and `nanoseconds` do not. */
  readonly timestamp: bigint
  /** Seconds since the epoch. */
  readonly seconds: number
  /** Nanoseconds of that second. */
  readonly nanoseconds: number
  /** Bytes captured. */
  readonly length: number
  /** Bytes on the wire. */
  readonly originalLength: number
  /** Fewer bytes captured than were on the wire. */
  readonly truncated: boolean
  /** Packets were dropped before this one: true of the first packet of a `losing` batch. */
  readonly losing: boolean
  /** There is a VLAN tag. */
  readonly vlanValid: boolean
  /** The tag's TPID is known. */
  readonly vlanTpidValid: boolean
  /** The hardware checked the checksum. */
  readonly csumValid: boolean
  /** The checksum is not computed yet: sent by this host, left to the hardware. */
  readonly csumNotReady: boolean
  /** Several TCP segments in one. */
  readonly gsoTcp: boolean
  /** Flow hash of the kernel; 0 where it had none. */
  readonly rxhash: number
  /** VLAN tag control information; 0 without a tag. */
  readonly vlanTci: number
  /** VLAN tag protocol identifier, such as 0x8100; 0 without a tag. */
  readonly vlanTpid: number
  /** Which way it went. */
  readonly direction: Direction
  /** Link-layer source address as 'aa:bb:cc:dd:ee:ff'; empty where the link has none. */
  readonly sourceAddress: string
  /** Ethertype, as the link layer said it. */
  readonly protocol: number
}

/** A packet of a batch, whose bytes lie in the ring. */
export interface Packet extends PacketFields {
  /** View onto the ring, made when asked for (about 50 ns); empty once the batch is released. */
  readonly data: Buffer
  /** Its own bytes and fields, to keep. */
  copy(): OwnedPacket
  /**
   * Its headers as an object, one to two microseconds; `batch.parse()` gives those of all packets for a fraction of that. What
   * is wrong with them is the object's `error`, never a throw.
   * @throws NetringError ERR_NETRING_RELEASED
   */
  parse(): ParsedPacket
}

/** A packet that owns its bytes: nothing to release. */
export interface OwnedPacket extends PacketFields {
  /** Its own bytes. */
  readonly data: Buffer
  /** Its headers as an object, one to two microseconds. What is wrong with them is the object's `error`, never a throw. */
  parse(): ParsedPacket
}

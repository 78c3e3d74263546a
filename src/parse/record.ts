/** The record that native code fills with one packet's headers: crates/netring/src/parse/record.rs. */
import { constants, numbers } from '../addon/constants.js'

const single = [
  'error',
  'link',
  'etherType',
  'vlans',
  'networkOffset',
  'payloadOffset',
  'payloadLength',
  'arp',
  'arpOperation',
  'arpProtocol',
  'arpHardwareSize',
  'arpProtocolSize',
  'ipVersion',
  'ipProtocol',
  'hopLimit',
  'dscp',
  'ecn',
  'fragment',
  'fragmentOffset',
  'moreFragments',
  'identification',
  'transport',
  'sourcePort',
  'destinationPort',
  'sequence',
  'acknowledgment',
  'tcpFlags',
  'window',
  'options',
  'udpLength',
  'icmpType',
  'icmpCode',
  'icmpIdentifier',
  'icmpSequence',
] as const
const parts = ['linkDestination', 'linkSource', 'sourceAddress', 'destinationAddress', 'tags', 'tcpOptions'] as const

/** Where the words are that hold one value each. */
export const Word: Readonly<Record<(typeof single)[number], number>> = numbers(constants?.recordWords, single)

/** Where the values start that take several words. */
export const Part: Readonly<Record<(typeof parts)[number], number>> = numbers(constants?.recordWords, parts)

/** One record for all packets: its values are read before anything else can run. */
export const record: Uint32Array = new Uint32Array(constants?.recordLength ?? 0)
/** The bytes of the record. */
export const recordBytes: Uint8Array = new Uint8Array(record.buffer)

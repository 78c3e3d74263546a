/** The record that native code fills with one packet's headers: crates/netring/src/parse/record.rs. */
import { recordWords } from '../binding.js'

/** The words that hold one value each, in the order of `Word` there. */
export const Word = {
  error: 0,
  link: 1,
  etherType: 2,
  vlans: 3,
  networkOffset: 4,
  payloadOffset: 5,
  payloadLength: 6,
  arp: 7,
  arpOperation: 8,
  arpProtocol: 9,
  arpHardwareSize: 10,
  arpProtocolSize: 11,
  ipVersion: 12,
  ipProtocol: 13,
  hopLimit: 14,
  dscp: 15,
  ecn: 16,
  fragment: 17,
  fragmentOffset: 18,
  moreFragments: 19,
  identification: 20,
  transport: 21,
  sourcePort: 22,
  destinationPort: 23,
  sequence: 24,
  acknowledgment: 25,
  tcpFlags: 26,
  window: 27,
  options: 28,
  udpLength: 29,
  icmpType: 30,
  icmpCode: 31,
  icmpIdentifier: 32,
  icmpSequence: 33,
} as const

/** Where those that take several words start. */
export const Part = {
  linkDestination: 34,
  linkSource: 36,
  sourceAddress: 38,
  destinationAddress: 42,
  tags: 46,
  options: 54,
} as const

/** One for all packets: whoever has it filled reads it before anything else can run. */
export const record: Uint32Array = new Uint32Array(recordWords)
/** Its bytes. */
export const recordBytes: Uint8Array = new Uint8Array(record.buffer)

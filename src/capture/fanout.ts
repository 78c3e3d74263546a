/** Fanout groups, packet(7). */
import type { NativeFanout } from '../addon/binding.js'
import { checkBoolean, checkInteger, checkObject, checkOneOf, refusal, wrongType } from '../check/arguments.js'
import { checkProgram, type Program } from '../filter/program.js'

/**
 * How a group picks the member that gets a packet: by flow hash (both directions of a flow alike), in turn, by the CPU
 * that received it, the next when one is full, at random, by the receive queue, or by a program of yours.
 */
export type FanoutMode = 'hash' | 'loadBalance' | 'cpu' | 'rollover' | 'random' | 'queueMapping' | 'cbpf' | 'ebpf'
const modes: readonly FanoutMode[] = [
  'hash',
  'loadBalance',
  'cpu',
  'rollover',
  'random',
  'queueMapping',
  'cbpf',
  'ebpf',
]

/** A fanout group to join: every packet of the interface goes to one of its members. */
export interface FanoutOptions {
  /** How the group picks; the same for all its members. */
  readonly mode: FanoutMode
  /** 0 to 65535, or 'unique' for one that is not in use: `fanoutId` is that id. */
  readonly group: number | 'unique'
  /** Go on to the next member when the chosen one is full. */
  readonly rollover?: boolean
  /** Reassemble IP fragments first, so that all of a flow hash alike. */
  readonly defrag?: boolean
  /** Leave out what this host sends. Linux 6.2. */
  readonly ignoreOutgoing?: boolean
  /** For the modes `cbpf` and `ebpf`: returns the number of the member. */
  readonly program?: Program
}

const keys = ['mode', 'group', 'rollover', 'defrag', 'ignoreOutgoing', 'program'] as const

/** Checks a group and makes it what the addon takes. `name` is what errors call it. */
export function checkFanout(value: FanoutOptions, name: string): NativeFanout
export function checkFanout(value: FanoutOptions | undefined, name: string): NativeFanout | undefined
export function checkFanout(value: FanoutOptions | undefined, name: string): NativeFanout | undefined {
  if (value === undefined) return undefined
  const { mode, group, rollover, defrag, ignoreOutgoing, program } = checkObject(name, value, keys)
  if (mode === undefined) throw wrongType(`${name}.mode`, 'a string', mode)
  if (group === undefined) throw wrongType(`${name}.group`, `a number or 'unique'`, group)
  const checkedMode = checkOneOf(`${name}.mode`, mode, modes, 'hash')
  const checkedProgram = program === undefined ? undefined : checkProgram(`${name}.program`, program)
  const kind = checkedProgram?.fd === undefined ? 'cbpf' : 'ebpf'
  if (checkedProgram !== undefined && kind !== checkedMode) {
    throw refusal(`${name}.program is for mode '${kind}', but ${name}.mode is '${checkedMode}'`)
  }
  return {
    mode: checkedMode,
    ...(group === 'unique' ? {} : { group: checkInteger(`${name}.group`, group, 0, 0, 0xffff) }),
    rollover: checkBoolean(`${name}.rollover`, rollover, false),
    defrag: checkBoolean(`${name}.defrag`, defrag, false),
    ignoreOutgoing: checkBoolean(`${name}.ignoreOutgoing`, ignoreOutgoing, false),
    ...(checkedProgram && { program: checkedProgram }),
  }
}

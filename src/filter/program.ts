/** Programs: raw classic BPF, or the descriptor of an eBPF program. */
import type { NativeProgram } from '../addon/binding.js'
import { checkFd, checkInteger, checkObject, wrongType, wrongValue } from '../check/arguments.js'

/** One instruction of classic BPF, `struct sock_filter` (include/uapi/linux/filter.h). */
export interface BpfInstruction {
  /** The operation, BPF_* of linux/bpf_common.h. */
  readonly code: number
  /** Instructions to skip where a comparison holds. */
  readonly jt: number
  /** Instructions to skip where it does not. */
  readonly jf: number
  /** The operand. */
  readonly k: number
}

/** Raw classic BPF, or the descriptor of a loaded eBPF program of type BPF_PROG_TYPE_SOCKET_FILTER. */
export type Program =
  | readonly BpfInstruction[]
  | {
      /** It stays yours. */
      readonly fd: number
    }

/** BPF_MAXINSNS, include/uapi/linux/bpf_common.h. */
const MOST_INSTRUCTIONS = 4096

/** Checks a program and makes it what the addon takes. */
export function checkProgram(
  name: string,
  value: unknown,
  expected: string = 'an array of BPF instructions or an object { fd }',
): NativeProgram {
  if (Array.isArray(value)) return { instructions: checkInstructions(name, value) }
  if (typeof value !== 'object' || value === null) {
    throw wrongType(name, expected, value)
  }
  const { fd } = checkObject(name, value as { readonly fd: number }, ['fd'])
  return { fd: checkFd(`${name}.fd`, fd) }
}

/** Checks instructions one by one; whether they are a program says the kernel. */
export function checkInstructions(name: string, program: readonly unknown[]): BpfInstruction[] {
  if (program.length === 0 || program.length > MOST_INSTRUCTIONS) {
    throw wrongValue(name, `must have 1 to ${String(MOST_INSTRUCTIONS)} instructions`, program)
  }
  return Array.from(program, (step, index) => {
    const at = `${name}[${String(index)}]`
    if (typeof step !== 'object' || step === null) throw wrongType(at, 'an object { code, jt, jf, k }', step)
    const { code, jt, jf, k } = step as Record<string, unknown>
    if (code === undefined) throw wrongType(`${at}.code`, 'a number', code)
    return {
      code: checkInteger(`${at}.code`, code, 0, 0, 0xffff),
      jt: checkInteger(`${at}.jt`, jt, 0, 0, 0xff),
      jf: checkInteger(`${at}.jf`, jf, 0, 0, 0xff),
      k: checkInteger(`${at}.k`, k, 0),
    }
  })
}

/** Filter programs for tests: classic ones from tcpdump, eBPF ones from bpf-exec.c. */
import { execFileSync } from 'node:child_process'
import type { ExecutionContext } from 'ava'
import type { BpfInstruction } from '../../src/index.js'
import { compile } from './compile.js'

/** What tcpdump makes of an expression, for Ethernet. */
export function bpf(expression: string): BpfInstruction[] {
  const printed = execFileSync('tcpdump', ['-ddd', '-y', 'EN10MB', expression], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return printed
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => {
      const [code = 0, jt = 0, jf = 0, k = 0] = line.split(' ').map(Number)
      return { code, jt, jf, k }
    })
}

/** Instructions by hand, as bpf(2)'s macros name them. */
export const step = {
  loadByte: (at: number): BpfInstruction => ({ code: 0x30, jt: 0, jf: 0, k: at }),
  loadLength: { code: 0x80, jt: 0, jf: 0, k: 0 },
  load: (value: number): BpfInstruction => ({ code: 0x00, jt: 0, jf: 0, k: value }),
  add: (value: number): BpfInstruction => ({ code: 0x04, jt: 0, jf: 0, k: value }),
  modulo: (value: number): BpfInstruction => ({ code: 0x94, jt: 0, jf: 0, k: value }),
  jump: (by: number): BpfInstruction => ({ code: 0x05, jt: 0, jf: 0, k: by }),
  return: (value: number): BpfInstruction => ({ code: 0x06, jt: 0, jf: 0, k: value }),
  returnA: { code: 0x16, jt: 0, jf: 0, k: 0 },
} as const

/** Compiles bpf-exec.c; what it gives stands before a command that then inherits the programs' descriptors. */
export function bpfExec(t: ExecutionContext): string {
  const program = compile('bpf-exec.c')
  t.teardown(program.remove)
  return program.path
}

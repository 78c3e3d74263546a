/**
 * What some tests need and some places do not give, whoever runs them: a container's root has less than a host's, and root
 * of a user namespace less still. Each need is tried, not guessed; where it is missing the test is skipped by name.
 */
import test, { type ExecutionContext } from 'ava'
import { execFileSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { compile } from './compile.js'

/** Why it cannot be had here, or undefined where it can. */
type Need = () => string | undefined

/** A serial test, or one that is skipped with the reason in its title. */
export function testThatNeeds(need: Need, title: string, body: (t: ExecutionContext) => void | Promise<void>): void {
  const missing = need()
  if (missing === undefined) test.serial(title, body)
  else test.serial.skip(`${title} (${missing})`, body)
}

/** The last line that a program wrote to stderr, where it fails. */
function failureOf(command: string, args: readonly string[], input = Buffer.alloc(0)): string | undefined {
  try {
    execFileSync(command, args, { encoding: 'utf8', input, stdio: ['pipe', 'pipe', 'pipe'] })
    return undefined
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string }
    const said = stderr.trim().split('\n').at(-1)
    return said === undefined || said === '' ? String(error) : said
  }
}

function tryProgram(source: string, before: readonly string[], after: readonly string[]): string | undefined {
  const program = compile(source)
  try {
    const [command = '', ...args] = [...before, program.path, ...after]
    return failureOf(command, args)
  } finally {
    program.remove()
  }
}

/** Loading eBPF programs of the types that the tests use. */
export const ebpf: Need = () => {
  const failure = tryProgram('bpf-exec.c', [], ['true'])
  return failure && `bpf(2) loads no programs here, CAP_BPF and CAP_NET_ADMIN would do it: ${failure}`
}

/** Locking memory past RLIMIT_MEMLOCK. */
export const lockingPastLimit: Need = () => {
  const failure = tryProgram('lock-memory.c', ['prlimit', '--memlock=65536'], [])
  return failure && `no memory is locked past RLIMIT_MEMLOCK here, CAP_IPC_LOCK would do it: ${failure}`
}

/** A file of no packets: magic number, version 2.4, snaplen, Ethernet. */
const noPackets = Buffer.from('d4c3b2a1020004000000000000000000ffff000001000000', 'hex')

/** tcpdump, which wants to change its user even to the one that it is; a user namespace may forbid that. */
export const tcpdump: Need = () => {
  const failure = failureOf('tcpdump', ['-Z', 'root', '-r', '-'], noPackets)
  return failure && `tcpdump does not run here: ${failure}`
}

/** Being another user, whom limits apply to. */
export const otherUsers: Need = () => {
  const failure = failureOf('setpriv', [...asUser, 'true'])
  return failure && `no other user can be taken here: ${failure}`
}

/** With capabilities enough for a capture, and for reading this folder wherever it is. */
const granted = '+net_raw,+net_admin,+dac_read_search'
export const asUser: readonly string[] = [
  '--reuid=64997',
  '--regid=64997',
  '--clear-groups',
  `--inh-caps=${granted}`,
  `--ambient-caps=${granted}`,
]

/** Making tun devices. */
export const tun: Need = () => {
  try {
    closeSync(openSync('/dev/net/tun', 'r+'))
    return undefined
  } catch (error) {
    return `no tun devices here: ${(error as Error).message}`
  }
}

/**
 * Filters: which packets enter the ring is decided in the kernel, by classic BPF or by an eBPF program.
 *
 *     npm run example ebpf -- INTERFACE [--expression EXPRESSION] [--fd N] [--count N] [--seconds N]
 *
 * `--expression` is tcpdump's language; `tcpdump -ddd` makes instructions of it. `--fd` is the descriptor of a loaded eBPF
 * program of type SOCKET_FILTER: netring attaches it, and loads none itself. A loader that leaves the descriptor open starts
 * node directly, because npm passes none on. One such loader is a helper of our tests:
 *
 *     cc -o bpf-exec __test__/helpers/bpf-exec.c
 *     ./bpf-exec sh -c 'node --import=@oxc-node/core/register examples/ebpf.ts eth0 --fd $BPF_TYPE'
 */
import { spawnSync } from 'node:child_process'
import { Capture, type BpfInstruction, type CaptureOptions } from 'netring'
import { cli } from './lib/cli.ts'

const {
  names: [name],
  options: { expression, fd, count },
  signal,
} = cli(['INTERFACE'], { expression: '', fd: NaN, count: Infinity })

/** What tcpdump prints: how many instructions, then one a line. */
function compile(text: string): BpfInstruction[] {
  const { status, stdout, stderr, error } = spawnSync('tcpdump', ['-ddd', '-y', 'EN10MB', text], { encoding: 'utf8' })
  if (error) throw error
  if (status !== 0) {
    console.error(stderr.trim())
    process.exit(1)
  }
  const [, ...lines] = stdout.trim().split('\n')
  return lines.map((line) => {
    const [code = 0, jt = 0, jf = 0, k = 0] = line.split(' ').map(Number)
    return { code, jt, jf, k }
  })
}

function filter(): CaptureOptions {
  if (!Number.isNaN(fd)) return { filter: { fd } }
  return expression === '' ? {} : { filter: compile(expression) }
}

using capture = Capture.open(name, { promiscuous: true, ...filter() })
try {
  for await (const { sourceAddress, protocol, originalLength } of capture.packetsAsync({ count, signal })) {
    console.log(`ethertype 0x${protocol.toString(16).padStart(4, '0')} from ${sourceAddress}, ${originalLength} bytes`)
  }
} catch (error) {
  if (!signal.aborted) throw error
}
const { packets, drops } = capture.cumulativeStats()
console.log(`${packets} packets passed the filter, ${drops} of them were dropped`)

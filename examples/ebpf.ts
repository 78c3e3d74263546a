/**
 * Filters: which packets enter the ring is decided in the kernel, by an expression or by an eBPF program.
 *
 *     npm run example ebpf -- INTERFACE [--expression EXPRESSION] [--fd N] [--count N] [--seconds N]
 *
 * `--expression` is tcpdump's language, which netring compiles for the interface. `--fd` is the descriptor of a loaded eBPF
 * program of type SOCKET_FILTER: netring attaches it, and loads none itself. A loader that leaves the descriptor open starts
 * node directly, because npm passes none on. One such loader is a helper of our tests:
 *
 *     cc -o bpf-exec __test__/helpers/bpf-exec.c
 *     ./bpf-exec sh -c 'node --import=@oxc-node/core/register examples/ebpf.ts eth0 --fd $BPF_TYPE'
 */
import { Capture, type CaptureOptions } from 'netring'
import { cli } from './lib/cli.ts'

const {
  names: [name],
  options: { expression, fd, count },
  signal,
} = cli(['INTERFACE'], { expression: '', fd: NaN, count: Infinity })

function filter(): CaptureOptions {
  if (!Number.isNaN(fd)) return { filter: { fd } }
  return expression === '' ? {} : { filter: expression }
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

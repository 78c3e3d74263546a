// Who takes part. To add a receiver or a sender, add it here and nowhere else.
//
// A receiver is started with --interface, --count and --idle-ms, writes "ready" to standard error
// when packets can come, and prints one JSON line (see README.md). A sender is started with
// --interface, --count and --size and prints one JSON line. `needs` are files without which a
// contender is left out; `hint` says how to get them. `sources` are those that it can receive from, where they are not
// those of everybody.
import { fileURLToPath } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))

const C_HINT = 'make -C benchmark/c (recv-pcap needs libpcap-dev)'
const PEERS_HINT = 'npm install in benchmark/peers (needs node-gyp, a compiler and libpcap-dev)'
const NETRING_HINT = 'npm run build'

/**
 * @typedef {{ name: string, command: string[], needs: string[], hint: string, sources?: string[] }} Contender
 */

/** The receivers that ratios are given against. */
export const BASELINES = ['recv-raw', 'recv-pcap', 'recv-xdp']

/** @type {Contender[]} */
export const RECEIVERS = [
  program('recv-raw', 'recv-raw', []),
  program('recv-pcap', 'recv-pcap', []),
  // As recv-raw, with blocks of libpcap's size: what libpcap itself costs, and what its blocks cost.
  program('recv-raw-256k', 'recv-raw', ['--block-size', '262144', '--block-count', '1024']),
  netring('netring-columns', 'recv-netring.mjs', ['--mode', 'columns']),
  netring('netring-packets', 'recv-netring.mjs', ['--mode', 'packets']),
  netring('netring-data', 'recv-netring.mjs', ['--mode', 'data']),
  netring('netring-channel', 'recv-channel.mjs', []),
  { ...program('recv-xdp', 'recv-xdp', []), sources: ['redirect', 'wire-xdp'] },
  { ...netring('netring-xdp', 'recv-netring.mjs', ['--backend', 'xdp']), sources: ['redirect', 'wire-xdp'] },
  peer('npm-pcap', 'recv-pcap.mjs', 'pcap'),
  peer('npm-cap', 'recv-cap.mjs', 'cap'),
]

/** @type {Contender[]} */
export const SENDERS = [
  program('sendmmsg', 'send', ['sendmmsg']),
  program('sendmmsg-bypass', 'send', ['sendmmsg', '--qdisc-bypass']),
  program('txring', 'send', ['txring']),
  program('txring-bypass', 'send', ['txring', '--qdisc-bypass']),
  netring('netring-sendbatch', 'send-netring.mjs', ['--mode', 'sendbatch']),
  netring('netring-sendbatch-bypass', 'send-netring.mjs', ['--mode', 'sendbatch', '--qdisc-bypass']),
  netring('netring-slots', 'send-netring.mjs', ['--mode', 'slots']),
  netring('netring-send', 'send-netring.mjs', ['--mode', 'send']),
  program('send-xdp', 'send-xdp', []),
  netring('netring-xdp', 'send-netring.mjs', ['--mode', 'sendbatch', '--backend', 'xdp']),
]

/** Sources of everybody. */
export const COMMON_SOURCES = ['wire', 'live']

/** A paced sender at the other end of the wire, at about the rate that one sender can hold here. */
const paced = {
  inReceiver: false,
  command: ({ count, size }) => [
    here('c/bin/send'),
    ...['sendmmsg', '--interface', 'bm-tx', '--rate', '500000', '--count', `${count}`, '--size', `${size}`],
  ],
}

/**
 * Where the frames of `receive` come from: `inReceiver` says in whose namespace the source runs.
 *
 * @type {Record<string, { inReceiver: boolean, command: (run: { count: number, size: number }) => string[] }>}
 */
export const SOURCES = {
  wire: paced,
  // The kernel's own packet generator, flat out, straight into the receive path.
  live: {
    inReceiver: true,
    command: ({ count, size }) => [
      here('c/bin/livesource'),
      ...['--interface', 'bm-rx', '--repeat', `${count}`, '--size', `${size}`],
    ],
  },
  // The same at the other end, redirected out of it: what a native XDP program sees, and nobody else.
  redirect: {
    inReceiver: false,
    command: ({ count, size }) => [
      here('c/bin/livesource'),
      ...['--redirect', '--interface', 'bm-tx', '--repeat', `${count}`, '--size', `${size}`],
    ],
  },
  // As `wire`, for those who read by XDP.
  'wire-xdp': paced,
}

function program(name, file, flags) {
  const path = here(`c/bin/${file}`)
  return { name, command: [path, ...flags], needs: [path], hint: C_HINT }
}

function netring(name, file, flags) {
  const path = here(file)
  const needs = [path, here('../dist/index.js')]
  return { name, command: [process.execPath, path, ...flags], needs, hint: NETRING_HINT }
}

function peer(name, file, packageName) {
  const path = here(`peers/${file}`)
  const needs = [path, here(`peers/node_modules/${packageName}/package.json`)]
  return { name, command: [process.execPath, path], needs, hint: PEERS_HINT }
}

/** What a message of the Rust core says to a user of JavaScript. */

/** What to do where the process lacks a right, by the name that the addon gives it. */
const rights: Readonly<Record<string, string>> = {
  packet:
    'Packet sockets need CAP_NET_RAW: run as root, or grant it to the runtime with ' +
    '`sudo setcap cap_net_raw,cap_net_admin+ep "$(readlink -f "$(command -v node)")"`, ' +
    'or start the container with `docker run --cap-add=NET_RAW --cap-add=NET_ADMIN`',
  xdp:
    'XDP needs CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF in the first user namespace: run as root, or grant them to the ' +
    'runtime with `sudo setcap cap_net_raw,cap_net_admin,cap_bpf+ep "$(readlink -f "$(command -v node)")"`, or start the ' +
    'container with `docker run --cap-add=NET_RAW --cap-add=NET_ADMIN --cap-add=BPF`',
}

/** Options whose names differ by more than their case. */
const otherNames: Readonly<Record<string, string>> = {
  xsk_map: 'xskMapFd',
  known_hosts: 'PacketFilter.compileAsync()',
}

/** The core writes the name of an option in backticks, as Rust spells it: `block_size`. */
const rustOption = /`([a-z]+(?:_[a-z]+)+)`/g

function optionName(rust: string): string {
  return otherNames[rust] ?? rust.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase())
}

/** The core's message with the options' names of JavaScript and, where a right is missing, with how to get it. */
export function advise(message: string, needs: string | undefined): string {
  const text = message.replace(rustOption, (_match, rust: string) => optionName(rust))
  const advice = rights[needs ?? '']
  return advice === undefined ? text : `${text}. ${advice}`
}

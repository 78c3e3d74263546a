/** What decides whether the addon can work here. */

/** A process, as far as that goes; `process` itself is one. */
export interface Host {
  readonly platform: string
  readonly arch: string
  readonly versions: Readonly<Record<string, string | undefined>>
  /** This thread is not one of its workers. */
  readonly mainThread: boolean
  /** The program that the system starts this process's with, and its C library with it; undefined where it cannot be found out. */
  readonly interpreter?: string | undefined
  /** Whether this netring is a clone, or was packed from one. Asked only where there is no binary. */
  readonly fromClone?: () => boolean
}

/** The architectures that there are binaries for, and those of them for musl. */
const architectures = ['x64', 'arm64']
const forMusl = ['x64']

/** Why nothing can be opened on a host, whatever is installed there; undefined where it can. */
export function hostRefusal(host: Host): string | undefined {
  const { platform, arch, versions, mainThread } = host
  if (platform !== 'linux') {
    return (
      `netring captures and sends through rings of the Linux kernel, and this is ${platform}: it can be imported here, and ` +
      'nothing can be opened. Run it on Linux (a virtual machine or a container will do), or use libpcap bindings here'
    )
  }
  if (versions.electron !== undefined) {
    return (
      'Electron forbids external buffers, so views onto the ring are impossible in it. Run netring in a process of ' +
      'Node.js itself, and send on what the window needs'
    )
  }
  if (!architectures.includes(arch)) {
    return `there is no binary of netring for ${arch}, only for ${architectures.join(' and ')}, nor has it been tried there`
  }
  return mainThread ? undefined : workerRefusal(versions)
}

/**
 * Why nothing can be opened in worker threads. Deno 2.9 runs neither finalizers nor clean-up hooks of a worker that ends: its
 * sockets stay open until the process ends, promiscuous, and in a fanout group they swallow their share of the packets.
 */
export function workerRefusal(versions: Host['versions']): string | undefined {
  if (versions.deno === undefined) return undefined
  return (
    'Deno does not free what a worker has open when that ends, and a ring would go on taking packets: in Deno, open ' +
    'captures on the main thread. FanoutPool and workers need Node.js or Bun'
  )
}

/** There is no binary for the C library of this host. */
export function lacksBinary(host: Host): boolean {
  return hasMusl(host) && !forMusl.includes(host.arch)
}

/** Names of the binaries to try: the one for this host's C library, or each where that is not known. */
export function binariesFor(host: Host): string[] {
  const { arch } = host
  const musl = forMusl.includes(arch) ? [`linux-${arch}-musl`] : []
  if (host.interpreter === undefined) return [`linux-${arch}-gnu`, ...musl]
  return hasMusl(host) ? musl : [`linux-${arch}-gnu`]
}

function hasMusl({ interpreter = '' }: Host): boolean {
  return interpreter.includes('musl')
}

/** How a worker gets its source: it opens it paused, joins the group, and starts it when all workers have joined. */
import { addon } from '../addon/binding.js'
import { Capture } from '../capture/capture.js'
import { native } from '../errors/native.js'
import type { PacketSource } from '../source/packet-source.js'
import { XdpSocket } from '../xdp/xdp-socket.js'
import type { SourceConfig } from './messages.js'

/** The group's id, and the number by which nativeStartAll() knows the source. */
export interface Joined {
  readonly group: number | undefined
  readonly barrier: number | undefined
}

/** A source that receives nothing yet. */
export interface PausedSource {
  /** Joins the group of this id, or a new one. */
  join(group: number | undefined): Joined
  /** Starts it. */
  start(): PacketSource
}

/** @throws NetringError as Capture.open() and XdpSocket.open() */
export function openPaused(interfaceName: string, plan: SourceConfig): PausedSource {
  return plan.backend === 'packet' ? pausedCapture(interfaceName, plan) : pausedXdpSocket(interfaceName, plan)
}

function pausedCapture(name: string, { options, pollTimeoutMs }: SourceConfig & { backend: 'packet' }): PausedSource {
  const capture = native(() => addon().NativeCapture.open(name, options))
  return {
    join: (group) => native(() => ({ group: capture.joinGroup(group), barrier: capture.barrierId() ?? undefined })),
    start: () => {
      native(() => {
        capture.start()
      })
      return Capture.adopt(name, capture, pollTimeoutMs)
    },
  }
}

/** There is no group to join: a packet's queue decides which worker gets it, and each worker has its own queues. */
function pausedXdpSocket(name: string, { options, pollTimeoutMs }: SourceConfig & { backend: 'xdp' }): PausedSource {
  const socket = native(() => addon().NativeXdpSocket.open(name, options))
  return {
    join: () => ({ group: undefined, barrier: undefined }),
    start: () => {
      native(() => {
        socket.start()
      })
      return XdpSocket.adopt(name, socket, pollTimeoutMs)
    },
  }
}

/** How a worker comes to its source: first everything is made ready, then it joins, and last the barrier is opened. */
import { addon } from '../binding.js'
import { adoptCapture } from '../capture.js'
import { native } from '../errors.js'
import type { PacketSource } from '../source/packet-source.js'
import { adoptXdpSocket } from '../xdp.js'
import type { SourcePlan } from './messages.js'

/** Which group, and what `nativeStartAll` knows the source by. */
export interface Joined {
  readonly group: number | undefined
  readonly barrier: number | undefined
}

/** A source that nothing passes into yet. */
export interface Prepared {
  /** Joins the group of this id, or a new one. */
  join(group: number | undefined): Joined
  /** From now on packets come. */
  open(): PacketSource
}

/** @throws NetringError as Capture.open() and XdpSocket.open() */
export function prepare(interfaceName: string, plan: SourcePlan): Prepared {
  return plan.backend === 'packet' ? prepareCapture(interfaceName, plan) : prepareXdpSocket(interfaceName, plan)
}

function prepareCapture(name: string, { options, pollTimeoutMs }: SourcePlan & { backend: 'packet' }): Prepared {
  const capture = native(() => addon().NativeCapture.open(name, options))
  return {
    join: (group) => native(() => ({ group: capture.joinGroup(group), barrier: capture.barrierId() ?? undefined })),
    open: () => {
      native(() => {
        capture.start()
      })
      return adoptCapture(name, capture, pollTimeoutMs)
    },
  }
}

/** There is no group to join: which queue a packet is in decides, and whose that is is settled from the start. */
function prepareXdpSocket(name: string, { options, pollTimeoutMs }: SourcePlan & { backend: 'xdp' }): Prepared {
  const socket = native(() => addon().NativeXdpSocket.open(name, options))
  return {
    join: () => ({ group: undefined, barrier: undefined }),
    open: () => {
      native(() => {
        socket.start()
      })
      return adoptXdpSocket(name, socket, pollTimeoutMs)
    },
  }
}

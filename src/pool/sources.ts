/** How a worker comes to its source: first everything is made ready, then it joins, and last the gate is opened. */
import { NativeCapture } from '../binding.js'
import { adoptCapture } from '../capture.js'
import { native, NetringError } from '../errors.js'
import type { PacketSource } from '../source/packet-source.js'
import type { SourcePlan } from './messages.js'

/** Which group, and what `nativeOpenGates` knows the source by. */
export interface Joined {
  readonly group: number | undefined
  readonly gate: number | undefined
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
  if (plan.backend === 'xdp') throw new NetringError('ERR_NETRING_UNSUPPORTED', `backend 'xdp' is not supported yet`)
  const { options, pollTimeoutMs } = plan
  const capture = native(() => NativeCapture.open(interfaceName, options))
  return {
    join: (group) => native(() => ({ group: capture.joinGroup(group), gate: capture.gateId() ?? undefined })),
    open: () => {
      native(() => {
        capture.openGate()
      })
      return adoptCapture(interfaceName, capture, pollTimeoutMs)
    },
  }
}

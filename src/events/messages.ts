/** What the addon's I/O thread calls wakers with. */
import { constants, numbers } from '../addon/constants.js'

/** Numbers of `Message` in crates/netring-node/src/callback.rs. */
export const Message: Readonly<Record<'wake' | 'linkDown' | 'linkUp' | 'removed' | 'watchFailed' | 'ended', number>> =
  numbers(constants?.messages, ['wake', 'linkDown', 'linkUp', 'removed', 'watchFailed', 'ended'])

/** Events of an interface's link, without data. */
export type LinkEvent = 'linkDown' | 'linkUp' | 'removed'

/** The event that a message stands for. */
export const linkEvents: ReadonlyMap<number, LinkEvent> = new Map([
  [Message.linkDown, 'linkDown'],
  [Message.linkUp, 'linkUp'],
  [Message.removed, 'removed'],
])

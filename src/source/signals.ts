/** What the addon's I/O thread tells JavaScript; the numbers of crates/netring-node/src/signal.rs. */
export const Message = { wake: 0, linkDown: 1, linkUp: 2, removed: 3, watchFailed: 4, ended: 5 } as const

/** Events of a source or sink, without data. */
export type LinkEvent = 'linkDown' | 'linkUp' | 'removed'

export const linkEvents: ReadonlyMap<number, LinkEvent> = new Map([
  [Message.linkDown, 'linkDown'],
  [Message.linkUp, 'linkUp'],
  [Message.removed, 'removed'],
])

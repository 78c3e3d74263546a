/** The way by which a fanout pool makes sources of what its workers have opened. */

/**
 * The key of a static method of Capture and XdpSocket that takes an open native handle. Nothing outside this package has
 * the symbol, so it is no part of the public API.
 * @internal
 */
export const adopt: unique symbol = Symbol('netring.adopt')

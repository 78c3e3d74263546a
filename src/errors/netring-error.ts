/** Errors of the operating system and of wrong use, with a stable `code`. */

/** Every code a {@link NetringError} can have. */
export type NetringErrorCode =
  | 'ERR_NETRING_PERMISSION'
  | 'ERR_NETRING_INTERFACE_NOT_FOUND'
  | 'ERR_NETRING_CONFIG'
  | 'ERR_NETRING_SOCKET'
  | 'ERR_NETRING_MMAP'
  | 'ERR_NETRING_BIND'
  | 'ERR_NETRING_SOCKOPT'
  | 'ERR_NETRING_IO'
  | 'ERR_NETRING_LINK_DOWN'
  | 'ERR_NETRING_INTERFACE_REMOVED'
  | 'ERR_NETRING_CLOSED'
  | 'ERR_NETRING_RELEASED'
  | 'ERR_NETRING_FILTER'
  | 'ERR_NETRING_FRAME'
  | 'ERR_NETRING_XDP_PROGRAM'
  | 'ERR_NETRING_UNSUPPORTED'

/** What a {@link NetringError} carries beside its message. */
export interface NetringErrorDetails {
  /** The system call that failed. */
  readonly syscall?: string
  /** Its errno, positive. */
  readonly errno?: number
  /** The socket option. */
  readonly option?: string
  /** The interface concerned. */
  readonly interface?: string
  /** What was thrown below, where that says more. */
  readonly cause?: unknown
}

/**
 * An error with a stable `code`, as `node:net` has them. The message names the value and says how to mend it.
 *
 * Ill-typed and out-of-range arguments are not NetringErrors but `TypeError` and `RangeError` with
 * `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` or `ERR_OUT_OF_RANGE`.
 */
export class NetringError extends Error {
  /** What to tell errors apart by. docs/troubleshooting.md has each with its cures. */
  readonly code: NetringErrorCode
  /** The system call that failed. */
  declare readonly syscall?: string
  /** Its errno, positive (`os.constants.errno`). */
  declare readonly errno?: number
  /** The socket option, on `ERR_NETRING_SOCKOPT`. */
  declare readonly option?: string
  /** The interface concerned. */
  declare readonly interface?: string

  constructor(code: NetringErrorCode, message: string, details: NetringErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    if (details.syscall !== undefined) this.syscall = details.syscall
    if (details.errno !== undefined) this.errno = details.errno
    if (details.option !== undefined) this.option = details.option
    if (details.interface !== undefined) this.interface = details.interface
  }

  /** 'NetringError'. */
  override get name(): string {
    return 'NetringError'
  }
}

/** Whether something is a NetringError with this code. */
export function hasCode(error: unknown, code: NetringErrorCode): boolean {
  return error instanceof NetringError && error.code === code
}

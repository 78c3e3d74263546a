/** Errors about arguments, by name. */
export { openDescriptors } from '../../testkit/memory.mjs'

export type Code = 'ERR_INVALID_ARG_TYPE' | 'ERR_INVALID_ARG_VALUE' | 'ERR_OUT_OF_RANGE'

export const errorOf = (code: Code): typeof TypeError | typeof RangeError =>
  code === 'ERR_OUT_OF_RANGE' ? RangeError : TypeError

/** A message begins with the name of what is wrong. */
export const named = (name: string): RegExp => new RegExp(`^${name.replaceAll(/[.[\]]/g, String.raw`\$&`)} `)

export const type = 'ERR_INVALID_ARG_TYPE'

export const value = 'ERR_INVALID_ARG_VALUE'

export const range = 'ERR_OUT_OF_RANGE'

/** Tables that Rust and TypeScript share: the addon has them. */
import type { NativeColumn, NativeConstants } from '../../index.js'
import { loaded } from './loaded.js'

/** Undefined where no addon is loaded: then nothing comes to use a table, and importing netring still works. */
export const constants: NativeConstants | undefined = loaded.addon?.nativeConstants()

/**
 * The named numbers of a table, as an object of its own: V8 keeps one that is made of a map's entries as a hash table, whose
 * properties are slow to read.
 * @throws Error where the addon does not have one of them
 */
export function numbers<N extends string>(
  given: Readonly<Record<string, number>> | undefined,
  names: readonly N[],
): Readonly<Record<N, number>> {
  const table = {} as Record<N, number>
  for (const name of names) {
    const number = given?.[name]
    if (given !== undefined && number === undefined) throw new Error(`the addon has no number for ${name}`)
    table[name] = number ?? 0
  }
  return table
}

/** Columns by name: each one's number. */
export function columnNumbers<N extends string>(
  given: readonly NativeColumn[] | undefined,
  names: readonly N[],
): Readonly<Record<N, number>> {
  return numbers(given && Object.fromEntries(given.map(({ name }, index) => [name, index])), names)
}

/** Where each column starts, by its number: a byte, times the capacity. */
export function columnStarts(given: readonly NativeColumn[] | undefined): readonly number[] {
  return given?.map(({ start }) => start) ?? []
}

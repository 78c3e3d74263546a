/** What all batches of a source share. */
import type { NativeSource } from '../addon/binding.js'
import { linkTypeOf, type LinkType } from '../packet/link-type.js'

export interface SourceState {
  readonly native: NativeSource
  readonly linkType: LinkType
  closed: boolean
  /** Columns that earlier batches were asked for: the addon fills them together, in one walk over the packets. */
  wanted: number
  /** Columns that were asked for since `wanted` was revised, and the batches since then. */
  used: number
  batches: number
}

/** The state of a source that was opened just now. */
export function sourceState(native: NativeSource): SourceState {
  return { native, linkType: linkTypeOf(native.linkType()), closed: false, wanted: 0, used: 0, batches: 0 }
}

/** One packet.copy() asks for every column: after this many batches those are dropped that were not asked for again. */
const REVISE_AFTER = 64

/** The columns to fill of the batch that is handed out next. */
export function columnsToFill(state: SourceState): number {
  if (++state.batches > REVISE_AFTER) {
    state.wanted = state.used
    state.used = 0
    state.batches = 1
  }
  return state.wanted
}

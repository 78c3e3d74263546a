/** Which packets of a batch match, by one native call. */
import type { NativeFilter } from '../addon/binding.js'
import { native } from '../errors/native.js'
import type { Batch } from '../packet/batch.js'
import type { PacketColumns } from '../packet/columns.js'

/** The members of a {@link Batch} that a filter reads. */
export interface FilteredBatch extends Pick<Batch, 'length' | 'buffer' | 'linkType' | 'released'> {
  /** Where each packet is in `buffer`, and its length on the wire. */
  readonly columns: Pick<PacketColumns, 'offset' | 'capturedLength' | 'originalLength'>
}

/** Indices of the packets that match, in order. The batch is not released. */
export function select(filter: NativeFilter, batch: FilteredBatch): Uint32Array {
  const indices = new Uint32Array(batch.length)
  const { offset, capturedLength, originalLength } = batch.columns
  const count = native(() => filter.select(batch.buffer, offset, capturedLength, originalLength, indices))
  return indices.subarray(0, count)
}

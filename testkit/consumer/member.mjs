/** A worker of the pool in threads.mjs. */
import { numberOf } from '../frames.mjs'

export default async function (source, { post, signal }) {
  while (!signal.aborted) {
    const packets = await source.recv({ signal }).catch(() => [])
    if (packets.length > 0) post(packets.map(({ data }) => numberOf(data)))
  }
}

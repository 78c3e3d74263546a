/** What this process holds. */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Of V8's own heap, which comes and goes. As in __test__/leak.test.ts. */
const MAPPINGS = 64
const BYTES = 64 << 20
/** Threads that end a moment later hold a descriptor until then. */
const PATIENCE = 200

function now() {
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    mappings: readFileSync('/proc/self/maps', 'utf8').split('\n').length,
    bytes: process.memoryUsage.rss(),
  }
}

/** Once everything that nothing refers to has been collected. */
export async function census() {
  for (let turn = 0; turn < 5; turn++) {
    globalThis.gc()
    await sleep(20)
  }
  return now()
}

/** Throws when more is held than `before`; what is held now. */
export async function compare(before) {
  let held = await census()
  for (let turn = 0; turn < PATIENCE && held.descriptors !== before.descriptors; turn++) held = await census()
  const grown = (name) => held[name] - before[name]
  if (grown('descriptors') !== 0) throw new Error(`${grown('descriptors')} descriptors more than before`)
  if (grown('mappings') > MAPPINGS) throw new Error(`${grown('mappings')} mappings more than before`)
  if (grown('bytes') > BYTES) throw new Error(`${grown('bytes') >> 20} MiB more than before`)
  return held
}

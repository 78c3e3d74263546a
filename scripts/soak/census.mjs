/** What this process holds. */
import { readFileSync } from 'node:fs'
import { collect, openDescriptors } from '../../testkit/memory.mjs'

/** Of V8 and libc, which come and go. As in __test__/leak.test.ts. */
const MAPPINGS = 64
const BYTES = 64 << 20
/** Threads that end a moment later hold a descriptor until then, and finalizers memory. */
const PATIENCE = 100

function now() {
  const kinds = mappings()
  return {
    descriptors: openDescriptors(),
    mappings: [...kinds.values()].reduce((sum, count) => sum + count, 0),
    bytes: process.memoryUsage.rss(),
    kinds,
  }
}

/** A page of V8's heap. When its young generation doubles, 64 come at once; rings here have other sizes. */
const HEAP_PAGE = '256 KiB rw-p anonymous'

/** How many mappings there are of each size, right and file: what grows is then recognized. */
function mappings() {
  const counts = new Map()
  for (const line of readFileSync('/proc/self/maps', 'utf8').trim().split('\n')) {
    const [range, rights, , , , file] = line.split(/\s+/)
    const [from, to] = range.split('-').map((address) => Number.parseInt(address, 16))
    const kind = `${(to - from) >> 10} KiB ${rights} ${file || 'anonymous'}`
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  counts.delete(HEAP_PAGE)
  return counts
}

/** Once everything that nothing refers to has been collected. */
export async function census() {
  await collect()
  return now()
}

/** Throws when more is held than `before`; what is held now. */
export async function compare(before) {
  let held = await census()
  for (let turn = 0; turn < PATIENCE && grown(before, held).length > 0; turn++) held = await census()
  const much = grown(before, held)
  if (much.length > 0) throw new Error(`more than before: ${much.join(', ')}`)
  return held
}

function grown(before, held) {
  const by = (name) => held[name] - before[name]
  return [
    ...(by('descriptors') <= 0 ? [] : [`${by('descriptors')} descriptors`]),
    ...(by('mappings') <= MAPPINGS ? [] : [`${by('mappings')} mappings (${newKinds(before.kinds, held.kinds)})`]),
    ...(by('bytes') <= BYTES ? [] : [`${by('bytes') >> 20} MiB`]),
  ]
}

function newKinds(before, held) {
  return [...held]
    .map(([kind, count]) => [kind, count - (before.get(kind) ?? 0)])
    .filter(([, more]) => more > 0)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 12)
    .map(([kind, more]) => `${more} of ${kind}`)
    .join('; ')
}

/** JavaScript may write whatever it likes into a batch. */
import test from 'ava'
import { NetringError } from '../../src/errors/netring-error.js'
import type { Batch } from '../../src/index.js'
import { frame } from '../../testkit/frames.mjs'
import { network } from '../helpers/network.js'
import { captureOn, injectorOn } from '../helpers/traffic.js'
import { assertOver, columnsOf, fields, numbersOf, RELEASED, take, tiny } from '../helpers/views.js'

/** Uses everything of a batch, and returns errors other than the package's own. */
function useAll(batch: Batch): unknown[] {
  const foreign: unknown[] = []
  const attempt = (use: () => unknown): void => {
    try {
      use()
    } catch (error) {
      if (!(error instanceof NetringError)) foreign.push(error)
    }
  }
  attempt(() => columnsOf(batch))
  attempt(() => batch.copy())
  attempt(() => batch.firstTimestamp)
  attempt(() => JSON.stringify([...batch]))
  for (let index = 0; index < batch.length; index++) {
    attempt(() => batch.at(index)?.copy().data.length)
    for (const field of fields) attempt(() => batch.at(index)?.[field])
  }
  return foreign
}

const patterns: readonly (readonly [string, (at: number) => number])[] = [
  ['ones', () => 0xff],
  ['zeros', () => 0],
  ['small numbers', (at) => (at % 4 === 0 ? at % 97 : 0)],
  ['noise', (at) => (Math.imul(at + 1, 0x9e3779b1) >>> 13) & 0xff],
]

for (const [pattern, byte] of patterns) {
  test(`a batch overwritten with ${pattern} harms neither the process nor later blocks`, async (t) => {
    const { a, b } = network(t)
    const capture = captureOn(t, b, tiny)
    const injector = injectorOn(t, a)
    let number = 0
    for (let round = 0; round < 8; round++) {
      const batch = await take(capture, injector, number++, number++, number++)
      const asked = round % 2 === 0
      const lengths = asked ? [...batch.columns.capturedLength] : []
      const { buffer } = batch
      for (let at = 0; at < buffer.length; at++) buffer[at] = byte(at)
      t.deepEqual(useAll(batch), [])
      if (asked) {
        t.deepEqual([...batch.columns.capturedLength], lengths, 'columns are copies')
        t.true(
          batch
            .at(1)
            ?.data.equals(
              Buffer.from(Array.from({ length: 200 }, (_, at) => byte((batch.columns.offset[1] ?? 0) + at))),
            ),
        )
      }
      batch.release()
      assertOver(t, batch)
      // Right through the ring, so that the block comes round again.
      for (let turn = 0; turn < 5; turn++) {
        const next = await take(capture, injector, number, number + 1)
        t.deepEqual(numbersOf(next), [number, number + 1])
        t.true(next.at(1)?.data.equals(frame(200, number + 1)))
        next.release()
        number += 2
      }
    }
    t.is(capture.cumulativeStats().drops, 0)
  })
}

test('columns overwritten with places outside the batch give errors with a code', async (t) => {
  const { a, b } = network(t)
  const capture = captureOn(t, b, tiny)
  const batch = await take(capture, injectorOn(t, a), 1, 2)
  batch.columns.capturedLength.fill(0xffff_fff0)
  const message = /columns of this batch have been overwritten/
  t.throws(() => batch.at(0)?.data, { ...RELEASED, message })
  t.throws(() => batch.at(1)?.copy(), { ...RELEASED, message })
  t.throws(() => batch.copy(), { ...RELEASED, message })
  batch.release()
  assertOver(t, batch)
})

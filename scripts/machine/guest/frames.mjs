/** Frames that tell which they are, and sending and receiving of them. */
import assert from 'node:assert/strict'
import { Injector } from 'netring'

const ETHERTYPE = 0x88b5

/** `count` frames of mixed sizes, the shortest and the longest among them. */
export function frames(count, largest = 1514, seed = 1) {
  const smallest = 60
  return Array.from({ length: count }, (_, index) => {
    const size = index === 0 ? smallest : index === 1 ? largest : smallest + ((index * 7919) % (largest - smallest + 1))
    const frame = Buffer.alloc(size)
    frame.fill('02000000000202000000000188b5', 0, 14, 'hex')
    frame.writeUInt32BE(seed * 100_000 + index, 14)
    for (let at = 18; at < size; at++) frame[at] = (index * 31 + at * 7 + seed) & 0xff
    return frame
  })
}

/** Whether a frame is one of ours: the machine may send others. */
export function ours(frame) {
  return frame.length >= 18 && frame.readUInt16BE(12) === ETHERTYPE
}

/** Sends frames out of an interface and waits until all have left. */
export async function send(name, list) {
  const injector = Injector.open(name, { frameSize: 16_384, frameCount: 128 })
  try {
    await injector.sendBatchAsync(list)
    await injector.drained()
    assert.equal(injector.txStats().sent, list.length)
  } finally {
    injector.close()
  }
}

/** Copies of the next `count` frames of ours that a source has. */
export async function receive(source, count) {
  const got = []
  const signal = AbortSignal.timeout(60_000)
  while (got.length < count) {
    await source.readable({ signal }).catch((error) => {
      throw new Error(`${got.length} of ${count} frames came`, { cause: error })
    })
    for (let batch = source.nextBatch(); batch !== undefined; batch = source.nextBatch()) {
      for (const { data } of batch) if (ours(data)) got.push(Buffer.from(data))
      batch.release()
    }
  }
  return got
}

/** That two lists have the same bytes; says which frame differs first. */
export function same(got, wanted) {
  assert.equal(got.length, wanted.length)
  for (const [index, frame] of wanted.entries()) {
    if (!frame.equals(got[index])) {
      const at = frame.findIndex((byte, place) => byte !== got[index][place])
      assert.fail(`frame ${index} of ${frame.length} bytes: ${got[index].length} bytes, first difference at ${at}`)
    }
  }
}

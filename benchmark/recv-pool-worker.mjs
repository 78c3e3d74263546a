// A worker's part of recv-pool.mjs: the benchmark's work by columns, and for each packet `work` more steps of a hash over
// its bytes, as a parser or matcher would take them. Counts in a SharedArrayBuffer, so that measuring costs it nothing.
export default async function (source, { index, workerData }) {
  const { shared, work } = workerData
  const counters = new BigInt64Array(shared, index * 24, 3)
  for await (const batch of source) {
    const [bytes, checksum] = read(batch, work)
    counters[1] += BigInt(bytes)
    counters[2] += BigInt(checksum)
    // Last, so that who sees the packets sees the rest.
    Atomics.add(counters, 0, BigInt(batch.length))
  }
}

function read(batch, work) {
  const { offset, capturedLength } = batch.columns
  const bytes = batch.buffer
  const count = batch.length
  let checksum = 0
  let total = 0
  let hash = 0
  for (let i = 0; i < count; i++) {
    const at = offset[i] | 0
    const length = capturedLength[i] | 0
    total = (total + length) | 0
    checksum = (checksum + length + bytes[at + 12] + bytes[at + 23] + bytes[at + 37] + bytes[at + 49]) | 0
    for (let step = 0; step < work; step++) hash = Math.imul(hash ^ bytes[at + (step & 31)], 16777619)
  }
  // The hash is used, or V8 would leave it out.
  return [total, hash === 1 ? checksum + 1 : checksum]
}

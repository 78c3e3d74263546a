/**
 * Waiting for two interfaces at once, on one thread, which is free for other work meanwhile.
 *
 *     npm run example async -- INTERFACE OTHER_INTERFACE [--seconds N]
 *
 * recv() resolves to packets that own their bytes: nothing to release, and they may be kept for as long as one likes.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Capture } from 'netring'
import { cli } from './lib/cli.ts'

const { names, signal } = cli(['INTERFACE', 'OTHER_INTERFACE'], {})

async function watch(name: string): Promise<string> {
  using capture = Capture.open(name)
  try {
    for (;;) {
      for (const { direction, sourceAddress, length } of await capture.recv({ signal })) {
        console.log(`${name}: ${direction} packet of ${length} bytes from ${sourceAddress}`)
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  return `${name}: ${capture.cumulativeStats().packets} packets`
}

async function otherWork(): Promise<string> {
  let turns = 0
  try {
    for (; ; turns++) await sleep(100, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
  return `other work: ${turns} turns`
}

for (const summary of await Promise.all([...names.map(watch), otherWork()])) console.log(summary)

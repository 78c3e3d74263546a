/**
 * AbortSignals: three ways for a wait to end, each telling who it was.
 *
 *     npm run example async-signal -- INTERFACE [--idle N] [--count N] [--seconds N]
 *
 * Counts packets until Ctrl-C or SIGTERM, until `--count` of them have come, or until none has come for `--idle`
 * milliseconds. Everything in netring that waits takes a signal and rejects with its reason; nothing is left behind.
 */
import { Capture } from 'netring'
import { cli } from './lib/cli.ts'

const {
  names: [name],
  options: { idle, count },
  signal,
} = cli(['INTERFACE'], { idle: 5000, count: Infinity })

using capture = Capture.open(name)
const enough = new AbortController()
const stop = AbortSignal.any([signal, enough.signal])
let packets = 0
let why = ''

while (why === '') {
  const silence = AbortSignal.timeout(idle)
  try {
    packets += (await capture.recv({ signal: AbortSignal.any([stop, silence]) })).length
    if (packets >= count) enough.abort()
  } catch (error) {
    if (error === enough.signal.reason) why = `${count} packets have come`
    else if (error === signal.reason) why = 'it was told to stop'
    else if (error === silence.reason) why = `no packet came for ${idle} ms`
    else throw error
  }
}
console.log(`${packets} packets; ended because ${why}`)

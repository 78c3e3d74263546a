/**
 * Imports netring and says what using it comes to, as one line of JSON: in a fresh process each, for one way to start or to bundle
 * it. No `await` at the top and no path of its own, so that it can become CommonJS. Runs in the project's folder.
 */
import { Capture, FanoutPool, Injector } from 'netring'
import { frame as numberedFrame } from '../frames.mjs'

const small = { profile: 'lowMemory', blockTimeoutMs: 5, ignoreOutgoing: true }

async function outcome(use) {
  try {
    await use()
    return 'works'
  } catch (error) {
    return error.code ?? String(error)
  }
}

async function packetsThereAndBack() {
  const capture = Capture.open('vb', small)
  const injector = Injector.open('va', { frameCount: 8 })
  const frame = numberedFrame(60, 1)
  injector.send(frame)
  injector.flush()
  const [packet] = await capture.recv({ signal: AbortSignal.timeout(10_000) })
  capture.close()
  injector.close()
  if (!packet.data.equals(frame)) throw new Error(`another frame came: ${packet.data.toString('hex')}`)
}

async function pool() {
  const started = await FanoutPool.start('vb', './testkit/consumer/member.mjs', { workers: 1, capture: small })
  await started.stop()
}

async function main() {
  let message
  try {
    Capture.open('vb', small).close()
  } catch (error) {
    message = error.message
  }
  console.log(JSON.stringify({ packets: await outcome(packetsThereAndBack), pool: await outcome(pool), message }))
}

void main()

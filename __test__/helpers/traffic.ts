/** Captures and injectors of a test's own, and what they send and receive. */
import type { ExecutionContext } from 'ava'
import { Capture, Injector, type CaptureOptions, type InjectorOptions } from '../../src/index.js'
import type { End } from './network.js'

export * from '../../testkit/traffic.mjs'

/** A small ring that is handed over quickly. */
export const smallRing: CaptureOptions = { blockSize: 256 * 1024, blockCount: 8, blockTimeoutMs: 5 }

/** A capture of one end, closed with the test. */
export function captureOn(t: ExecutionContext, at: End, options: CaptureOptions = {}): Capture {
  const capture = Capture.open(at.name, { ...smallRing, ...options, netns: at.netns })
  t.teardown(() => {
    capture.close()
  })
  return capture
}

/** An injector on one end, closed with the test. */
export function injectorOn(t: ExecutionContext, at: End, options: InjectorOptions = {}): Injector {
  const injector = Injector.open(at.name, { ...options, netns: at.netns })
  t.teardown(() => {
    injector.close()
  })
  return injector
}

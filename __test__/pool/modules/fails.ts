/** Counts what comes and fails as `workerData.how` says, at the frame with that number; `at` is which worker does. */
import type { FanoutContext, PacketSource } from '../../../src/index.js'
import { NetringError } from '../../../src/index.js'
import { numberOf } from '../../../testkit/frames.mjs'

export interface Failing {
  readonly how: 'throws' | 'later' | 'exits' | 'rejects' | 'empty' | 'netring' | 'string'
  readonly number: number
}

async function fail(how: Failing['how']): Promise<void> {
  switch (how) {
    case 'throws':
      throw Object.assign(new RangeError('thrown on purpose'), { code: 'ERR_ON_PURPOSE' })
    case 'netring':
      throw new NetringError('ERR_NETRING_IO', 'thrown on purpose', { syscall: 'bind', errno: 5, interface: 'eth9' })
    case 'string':
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- it can be done
      throw 'a string'
    case 'later':
      setTimeout(() => {
        throw new NetringError('ERR_NETRING_FRAME', 'thrown on purpose', { errno: 7 })
      })
      break
    case 'rejects':
      void Promise.reject(new Error('thrown on purpose'))
      break
    case 'exits':
      process.exit(3)
      break
    case 'empty':
      process.exit(0)
  }
  await new Promise(() => undefined)
}

export default async function (source: PacketSource, context: FanoutContext): Promise<void> {
  const { how, number } = context.workerData as Failing
  for await (const batch of source) {
    const numbers = Array.from(batch, ({ data }) => numberOf(data))
    context.post(numbers)
    if (numbers.includes(number)) await fail(how)
  }
}

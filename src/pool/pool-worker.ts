/** A worker of a pool, as the pool sees it: a thread, what it is asked, and how it ends. */
import { extname } from 'node:path'
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads'
import { LONGEST_TIMER } from '../async/event-loop.js'
import { refusal } from '../check/arguments.js'
import { noStats, type CaptureStats } from '../source/counters.js'
import { asThrown, unpackError } from './failures.js'
import { receiveNow, type FromWorker, type ToWorker, type WorkerPlan } from './messages.js'

/** The entry beside this file, in whichever form this one is run. */
function entry(): URL {
  return new URL(`./worker${extname(import.meta.url)}`, import.meta.url)
}

/** How long a module may go on being loaded when it is not wanted any more. */
const LOADING_MS = 500
/** How long the thread of a module that has returned may go on. */
const LINGER_MS = 5000

/** What decides how modules are found and loaded. */
const loading = ['--import', '--require', '-r', '--loader', '--experimental-loader', '--conditions', '-C']

/**
 * Workers inherit the flags of the command line. With `--input-type`, which is about code that stands there itself, Node
 * would refuse to start one from a file, and it takes no flag of V8's in a list: then only those that matter go along.
 */
function execArguments(): { readonly execArgv?: string[] } {
  const all = process.execArgv
  if (!all.some((argument) => argument.startsWith('--input-type'))) return {}
  const execArgv = all.filter((argument, index) => {
    const [name = ''] = argument.split('=')
    return loading.includes(name) || loading.includes(all[index - 1] ?? '')
  })
  return { execArgv }
}

/** How a worker ended. */
export interface Ending {
  /** Why, unless it was to end. */
  readonly error: Error | undefined
  /** What its source has counted, as far as it could still say. */
  readonly counts: CaptureStats
}

type Answer<T extends FromWorker['type']> = Extract<FromWorker, { type: T }>

interface Expectation {
  readonly type: FromWorker['type']
  readonly resolve: (answer: never) => void
  readonly reject: (reason: Error) => void
}

export class PoolWorker {
  readonly index: number
  readonly thread: Worker
  /** Resolves when the thread is gone, and all that it has sent has been passed on. */
  readonly ended: Promise<Ending>
  /** Since when the module runs, on the clock of performance.now(). */
  startedAt: number | undefined
  /** It is in the group. */
  joined = false
  /** What the addon knows its barrier by, once it has joined. */
  barrier: number | undefined
  readonly #port: MessagePort
  readonly #onMessage: (message: unknown) => void
  #expected: Expectation[] = []
  #counts = noStats
  #done = false
  #failure: Error | undefined
  /** Its end has been asked for. */
  #asked = false
  #over = false
  #timer: NodeJS.Timeout | undefined

  constructor(plan: Omit<WorkerPlan, 'port'>, onMessage: (message: unknown) => void) {
    this.index = plan.index
    this.#onMessage = onMessage
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    try {
      this.thread = new Worker(entry(), {
        workerData: { ...plan, port: port2 } satisfies WorkerPlan,
        transferList: [port2],
        ...execArguments(),
        name: `netring fanout ${String(plan.index)}`,
      })
    } catch (error) {
      port1.close()
      // Nothing else of what is sent comes from the user.
      const { name, message } = error as Error
      if (name !== 'DataCloneError') throw error
      const refused = refusal(`options.workerData cannot be sent to a worker as a structured clone: ${message}`)
      throw Object.assign(refused, { cause: error })
    }
    port1.on('message', (message: FromWorker) => {
      this.#receive(message)
    })
    port1.on('messageerror', (error) => {
      this.#fail(asThrown(error))
    })
    this.ended = new Promise((resolve) => {
      this.thread.on('error', (error) => {
        this.#failure ??= asThrown(error)
      })
      this.thread.on('exit', (code) => {
        resolve(this.#end(code))
      })
    })
  }

  /** Resolves when its module is loaded and its ring is there. */
  async ready(): Promise<void> {
    await this.#expect('ready')
  }

  /** Has it join a group and resolves to the group's id. */
  async join(group: number | undefined): Promise<number | undefined> {
    const answer = await this.#ask({ type: 'join', group }, 'joined')
    this.joined = true
    this.barrier = answer.barrier
    return answer.group
  }

  /** Opens its barrier and has its module run. */
  async go(): Promise<void> {
    await this.#ask({ type: 'go' }, 'started')
    this.startedAt = performance.now()
  }

  /** What its source has counted since it was opened; at last what it had counted when it ended. */
  async counts(): Promise<CaptureStats> {
    if (this.startedAt !== undefined && !this.#done && !this.#over) {
      try {
        await this.#ask({ type: 'count' }, 'counts')
      } catch {
        // It ended meanwhile, and has left its counts.
      }
    }
    return this.#counts
  }

  /** Asks it to end, and ends it after this time. */
  stop(timeoutMs: number): void {
    if (this.#asked || this.#over) return
    this.#asked = true
    // Who waits for the end must live to see it.
    this.referenced = true
    // One that is still loading is let go on for a moment: terminated, it might leave the files open that it reads.
    const runs = this.startedAt !== undefined
    const within = runs ? timeoutMs : Math.min(timeoutMs, LOADING_MS)
    this.#send({ type: 'stop', timeoutMs: within })
    this.#terminateAfter(within, runs)
  }

  /** Ends it at once. */
  terminate(): void {
    this.#asked = true
    void this.thread.terminate()
  }

  /** The thread is gone. */
  get over(): boolean {
    return this.#over
  }

  set referenced(referenced: boolean) {
    if (referenced) {
      this.thread.ref()
      this.#port.ref()
    } else {
      this.thread.unref()
      this.#port.unref()
    }
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'message':
        this.#onMessage(message.message)
        return
      case 'left':
        this.joined = false
        return
      case 'done':
        this.#counts = message.counts
        this.#done = true
        this.#answerCounts(message.counts)
        // Its timers and handles may go on for a while: it may have something to write.
        if (!this.#asked) this.#terminateAfter(LINGER_MS, false)
        return
      case 'failed':
        this.#counts = message.counts
        this.#answerCounts(message.counts)
        this.#fail(unpackError(message.error))
        return
      case 'counts':
        this.#counts = message.counts
        break
      case 'ready':
      case 'joined':
      case 'started':
        break
    }
    const at = this.#expected.findIndex(({ type }) => type === message.type)
    if (at >= 0) this.#expected.splice(at, 1)[0]?.resolve(message as never)
  }

  /** Whoever asked for them: a worker that is over does not read any more, and its thread may go on for a while. */
  #answerCounts(counts: CaptureStats): void {
    const asked = this.#expected.filter(({ type }) => type === 'counts')
    this.#expected = this.#expected.filter(({ type }) => type !== 'counts')
    for (const { resolve } of asked) resolve({ type: 'counts', counts } as never)
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.terminate()
  }

  #terminateAfter(timeoutMs: number, warn: boolean): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(
      () => {
        if (warn) {
          process.emitWarning('A fanout worker did not end in time and was terminated.', {
            type: 'NetringWarning',
            code: 'NETRING_WORKER_TERMINATED',
            detail: `Worker ${String(this.index)}, after ${String(timeoutMs)} ms; its module should end when context.signal aborts.`,
          })
        }
        this.terminate()
      },
      Math.min(timeoutMs, LONGEST_TIMER),
    ).unref()
  }

  #end(code: number): Ending {
    // It had sent these before it ended.
    receiveNow(this.#port, (message) => {
      this.#receive(message as FromWorker)
    })
    this.#over = true
    this.joined = false
    clearTimeout(this.#timer)
    this.#port.close()
    if (!this.#done && !this.#asked) {
      this.#failure ??= new Error(
        `fanout worker ${String(this.index)} ended with exit code ${String(code)} before its module's function returned`,
      )
    }
    const reason = this.#failure ?? new Error(`fanout worker ${String(this.index)} has ended`)
    for (const { reject } of this.#expected.splice(0)) reject(reason)
    return { error: this.#failure, counts: this.#counts }
  }

  #ask<T extends FromWorker['type']>(message: ToWorker, type: T): Promise<Answer<T>> {
    this.#send(message)
    return this.#expect(type)
  }

  #send(message: ToWorker): void {
    this.#port.postMessage(message)
  }

  #expect<T extends FromWorker['type']>(type: T): Promise<Answer<T>> {
    if (this.#over) return Promise.reject(this.#failure ?? new Error(`fanout worker ${String(this.index)} has ended`))
    return new Promise((resolve, reject) => {
      this.#expected.push({ type, resolve, reject })
    })
  }
}

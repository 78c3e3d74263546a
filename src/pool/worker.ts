/** The thread of a pool's worker: runs the user's module on a source. pool-worker.ts starts it, and no module imports it. */
import { workerData } from 'node:worker_threads'
import { addon } from '../addon/binding.js'
import { wrongType } from '../check/arguments.js'
import { native } from '../errors/native.js'
import { noStats, type CaptureStats } from '../source/counters.js'
import type { PacketSource } from '../source/packet-source.js'
import type { FanoutContext, FanoutFunction } from './context.js'
import { packError } from './failures.js'
import type { FromWorker, ToWorker, WorkerPlan } from './messages.js'
import { openPaused, type PausedSource } from './paused-source.js'
import { countsOf, watch } from './watched-source.js'

/** How long a module that knows of the stop may take to end by itself, before its source is closed. */
const CLOSE_AFTER_MS = 1000

class Task {
  readonly #plan: WorkerPlan
  readonly #stop = new AbortController()
  #paused: PausedSource | undefined
  #module: FanoutFunction | undefined
  #source: PacketSource | undefined
  #counts: CaptureStats = noStats
  /** The module has looked at context.signal. */
  #knows = false
  #over = false
  #closing: NodeJS.Timeout | undefined

  constructor(plan: WorkerPlan) {
    this.#plan = plan
    plan.port.on('message', (message: ToWorker) => {
      this.#receive(message)
    })
    // Whatever ends the thread, short of its termination.
    process.once('exit', () => {
      if (!this.#over) this.#post({ type: 'counts', counts: this.#count() })
    })
  }

  async prepare(): Promise<void> {
    const { cpu, module, source, interfaceName } = this.#plan
    try {
      // First of all, so that the ring lies in memory that is near this CPU.
      if (cpu !== undefined) {
        native(() => {
          addon().nativePinThread(cpu)
        })
      }
      this.#module = await load(module)
      if (this.#over) return
      this.#paused = openPaused(interfaceName, source)
      this.#post({ type: 'ready' })
    } catch (error) {
      this.#fail(error)
    }
  }

  #receive(message: ToWorker): void {
    if (this.#over) return
    try {
      switch (message.type) {
        case 'join':
          if (this.#paused !== undefined) this.#post({ type: 'joined', ...this.#paused.join(message.group) })
          break
        case 'go':
          this.#go()
          break
        case 'count':
          this.#post({ type: 'counts', counts: this.#count() })
          break
        case 'stop':
          this.#stopWithin(message.timeoutMs)
          break
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  #go(): void {
    if (this.#paused === undefined || this.#module === undefined) return
    const { port, source: plan } = this.#plan
    const source = this.#paused.start()
    this.#source = source
    const stopping = (): boolean => this.#stop.signal.aborted
    watch(source, port, plan.pollTimeoutMs, {
      receive: (message) => {
        this.#receive(message)
      },
      get stopping() {
        return stopping()
      },
      closing: (counts) => {
        this.#counts = counts
        this.#post({ type: 'left' })
      },
    })
    this.#post({ type: 'started' })
    void this.#run(this.#module, source)
  }

  async #run(module: FanoutFunction, source: PacketSource): Promise<void> {
    try {
      await module(source, this.#context())
      this.#finish()
    } catch (error) {
      if (this.#isStop(error)) this.#finish()
      else this.#fail(error)
    }
  }

  #context(): FanoutContext {
    const { index, workers, workerData: data } = this.#plan
    const signal = (): AbortSignal => {
      this.#knows = true
      return this.#stop.signal
    }
    return {
      index,
      workers,
      workerData: data,
      get signal() {
        return signal()
      },
      post: (message, transfer = []) => {
        if (!this.#over) this.#plan.port.postMessage({ type: 'message', message } satisfies FromWorker, transfer)
      },
    }
  }

  #stopWithin(timeoutMs: number): void {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    if (this.#source === undefined) {
      this.#finish()
      return
    }
    const close = (): void => {
      this.#source?.close()
    }
    if (!this.#knows) close()
    else this.#closing = setTimeout(close, Math.min(CLOSE_AFTER_MS, timeoutMs / 2))
  }

  /** What a module throws because it was stopped is no failure. */
  #isStop(error: unknown): boolean {
    const { signal } = this.#stop
    if (!signal.aborted) return false
    if (error === signal.reason) return true
    if (!(error instanceof Error)) return false
    const { code } = error as { code?: unknown }
    return error.name === 'AbortError' || (code === 'ERR_NETRING_CLOSED' && this.#source?.closed === true)
  }

  #count(): CaptureStats {
    return countsOf(this.#source) ?? this.#counts
  }

  #finish(): void {
    this.#end({ type: 'done', counts: this.#leave() })
  }

  #fail(error: unknown): void {
    this.#end({ type: 'failed', error: packError(error), counts: this.#leave() })
  }

  /** Closes the source and says what it counted. */
  #leave(): CaptureStats {
    clearTimeout(this.#closing)
    try {
      this.#source?.close()
    } catch {
      // Of what could not be closed the end of the thread takes care.
    }
    return this.#counts
  }

  #end(last: FromWorker): void {
    if (this.#over) return
    this.#post(last)
    this.#over = true
    this.#plan.port.close()
  }

  #post(message: FromWorker): void {
    this.#plan.port.postMessage(message)
  }
}

async function load(module: string): Promise<FanoutFunction> {
  const { default: work } = (await import(module)) as { default?: unknown }
  if (typeof work !== 'function') throw wrongType(`the default export of ${module}`, 'a function', work)
  return work as FanoutFunction
}

void new Task(workerData as WorkerPlan).prepare()

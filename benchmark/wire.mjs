// The place where measurements happen: two network namespaces joined by a veth pair, and processes
// started in them. Nothing here outlives this process, however it ends (short of SIGKILL).
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'
import { addNetns, addVeth, deleteNetns, received } from '../testkit/network.mjs'

const READY_MS = 30_000

const SENDER_CPU = 0
const RECEIVER_CPU = 1

export class Wire {
  #namespaces = { tx: `bm-${process.pid}-tx`, rx: `bm-${process.pid}-rx` }
  /** @type {string[]} */
  #made = []
  /** @type {Set<import('node:child_process').ChildProcess>} */
  #children = new Set()

  /** @type {import('../testkit/network.mjs').Interface} */
  #receiving

  /** @param {number} mtu */
  constructor(mtu) {
    if (process.getuid() !== 0) throw new TypeError('the benchmark has to run as root')
    process.on('exit', () => this.close())
    for (const [signal, number] of [
      ['SIGINT', 2],
      ['SIGTERM', 15],
      ['SIGHUP', 1],
    ]) {
      process.on(signal, () => process.exit(128 + number))
    }
    const [tx, rx] = /** @type {const} */ (['tx', 'rx']).map((end) => {
      const netns = addNetns(this.#namespaces[end])
      this.#made.push(this.#namespaces[end])
      return { ...netns, name: `bm-${end}` }
    })
    addVeth(tx, rx, { mtu })
    this.#receiving = rx
  }

  /** Frames that came out of the receiving end so far. */
  arrived() {
    return received(this.#receiving)
  }

  /**
   * Starts a program at one end, on the processor that belongs to its role.
   *
   * @param {'tx' | 'rx'} end
   * @param {'sender' | 'receiver'} role
   * @param {string[]} command
   */
  start(end, role, command) {
    const pin = availableParallelism() > 1 ? ['taskset', '-c', `${role === 'sender' ? SENDER_CPU : RECEIVER_CPU}`] : []
    const argv = ['netns', 'exec', this.#namespaces[end], ...pin, ...command]
    const child = spawn('ip', argv, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#children.add(child)
    child.on('close', () => this.#children.delete(child))
    return new Running(child)
  }

  /** Ends what was started and removes the namespaces. Calling it again does nothing. */
  close() {
    for (const child of this.#children) child.kill('SIGKILL')
    this.#children.clear()
    for (const namespace of this.#made.splice(0)) deleteNetns(namespace)
  }
}

/** A started program: when it is ready, and the JSON line that it prints in the end. */
class Running {
  #child
  #errors = ''
  #result
  #ready

  constructor(child) {
    this.#child = child
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text))
    const errorLines = createInterface({ input: child.stderr })
    this.#ready = new Promise((resolve) => {
      errorLines.on('line', (line) => {
        if (line === 'ready') resolve()
        else this.#errors += `${line}\n`
      })
    })
    this.#result = new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code, signal) => {
        if (code !== 0) reject(new Error(`ended with ${signal ?? code}: ${this.#errors.trim()}`))
        else if (output.trim() === '') reject(new Error('printed no result'))
        else resolve(JSON.parse(output.trim().split('\n').at(-1)))
      })
    })
    // Whoever waits for the result sees the failure; nobody may be waiting yet.
    this.#result.catch(() => {})
  }

  /** Resolves when the program said so: large rings can take a second to set up. */
  async ready() {
    let timer
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error('was not ready in time')), READY_MS)
    })
    try {
      await Promise.race([this.#ready, this.#result.then(() => this.#ready), late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** The JSON line, within this time. */
  async result(limitMs) {
    const timer = setTimeout(() => this.stop(), limitMs)
    try {
      return await this.#result
    } finally {
      clearTimeout(timer)
    }
  }

  /** Ends it at once. Harmless when it has ended already. */
  stop() {
    this.#child.kill('SIGKILL')
  }
}

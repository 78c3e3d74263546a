// The place where measurements happen: two network namespaces joined by a veth pair, and processes
// started in them. Nothing here outlives this process, however it ends (short of SIGKILL).
import { spawn, spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'
import { waitUntilOperating } from '../scripts/links.mjs'

const READY_MS = 30_000

const SENDER_CPU = 0
const RECEIVER_CPU = 1

export class Wire {
  #namespaces = { tx: `bm-${process.pid}-tx`, rx: `bm-${process.pid}-rx` }
  /** @type {string[]} */
  #made = []
  /** @type {Set<import('node:child_process').ChildProcess>} */
  #children = new Set()

  /** @param {number} mtu */
  constructor(mtu) {
    process.on('exit', () => this.close())
    for (const [signal, number] of [
      ['SIGINT', 2],
      ['SIGTERM', 15],
      ['SIGHUP', 1],
    ]) {
      process.on(signal, () => process.exit(128 + number))
    }
    const { tx, rx } = this.#namespaces
    for (const namespace of [tx, rx]) {
      ip('netns', 'add', namespace)
      this.#made.push(namespace)
    }
    ip('link', 'add', 'bm-tx', 'netns', tx, 'type', 'veth', 'peer', 'name', 'bm-rx', 'netns', rx)
    // Without a link-local address IPv6 stays silent: the only frames are the ones that are counted.
    ip('-n', tx, 'link', 'set', 'bm-tx', 'mtu', `${mtu}`, 'addrgenmode', 'none', 'up')
    ip('-n', rx, 'link', 'set', 'bm-rx', 'mtu', `${mtu}`, 'addrgenmode', 'none', 'up')
    waitUntilOperating([
      ['bm-tx', tx],
      ['bm-rx', rx],
    ])
  }

  /** Frames that came out of the receiving end so far. */
  arrived() {
    const [link] = JSON.parse(ip('-n', this.#namespaces.rx, '-j', '-s', 'link', 'show', 'bm-rx'))
    return link.stats64.rx.packets
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
    for (const namespace of this.#made.splice(0)) removeNamespace(namespace)
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

/** Removes it, trying again for a while: it is busy as long as a process that was killed still ends. */
function removeNamespace(namespace) {
  const pause = new Int32Array(new SharedArrayBuffer(4))
  let stderr = ''
  for (let attempt = 0; attempt < 100; attempt++) {
    const result = spawnSync('ip', ['netns', 'del', namespace], { encoding: 'utf8' })
    if (result.status === 0) return
    stderr = result.stderr
    Atomics.wait(pause, 0, 0, 50)
  }
  console.error(`namespace ${namespace} is left over: ${stderr.trim()}`)
}

function ip(...argv) {
  const { status, stdout, stderr, error } = spawnSync('ip', argv, { encoding: 'utf8' })
  if (error) throw new Error('the benchmark needs the ip command of iproute2', { cause: error })
  if (status !== 0) throw new Error(`ip ${argv.join(' ')}: ${stderr.trim()} (the benchmark has to run as root)`)
  return stdout
}

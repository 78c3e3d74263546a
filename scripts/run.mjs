/** What every script here needs: to say something, to stop with a line to run, and to run other programs. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

// Debian leaves these out of a user's PATH.
process.env.PATH = [process.env.PATH, '/usr/local/sbin', '/usr/sbin', '/sbin'].filter(Boolean).join(delimiter)

export function say(text) {
  process.stdout.write(`netring: ${text}\n`)
}

/** Ends the script; the message ends with the line to run, when there is one. */
export function stop(message) {
  process.stderr.write(`\nnetring: ${message}\n`)
  process.exit(1)
}

/** The file that a shell would run for this name, or undefined. */
export function which(name) {
  return process.env.PATH.split(delimiter)
    .map((folder) => join(folder || '.', name))
    .find((file) => existsSync(file) && statSync(file).isFile())
}

/** npm by the path it was called with, so that a script needs no npm in PATH. */
export function npm(...args) {
  const cli = process.env.npm_execpath
  return cli?.endsWith('.js') ? [process.execPath, cli, ...args] : ['npm', ...args]
}

/** What a program prints in English, trimmed, or undefined when it is missing or fails. */
export function read(command, ...args) {
  const env = { ...process.env, LC_ALL: 'C' }
  const { status, stdout } = spawnSync(command, args, { cwd: root, encoding: 'utf8', env })
  return status === 0 ? stdout.trim() : undefined
}

/** Runs a program on this terminal and returns whether it succeeded. */
export function run([command, ...args], options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], ...options })
  if (error) process.stderr.write(`netring: ${command}: ${error.message}\n`)
  return status === 0
}

/**
 * Runs a program, gives every line it prints to `onLine(line, stream)`, and resolves to its exit status, or the name of
 * the signal that ended it. The program gets a process group of its own: a time-out or a signal then reaches all that
 * it has started, and nothing that keeps its pipe open can hold this script back.
 */
export function runLines([command, ...args], onLine, { timeoutMs, env, cwd = root } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    const end = (signal) => {
      try {
        process.kill(-child.pid, signal)
      } catch {
        // The group has ended by itself.
      }
    }
    const timer = setTimeout(
      () => {
        onLine(`netring: ${command} did not finish within ${timeoutMs / 60_000} minutes`, 'stderr')
        end('SIGKILL')
      },
      timeoutMs ?? 2 ** 31 - 1,
    )
    const restore = onSignals((signal) => {
      end(signal)
      process.exit(exitStatus(null, signal))
    })
    eachLine(child.stdout, (line) => onLine(line, 'stdout'))
    eachLine(child.stderr, (line) => onLine(line, 'stderr'))
    const done = (result) => {
      clearTimeout(timer)
      restore()
      resolve(result)
    }
    child.on('error', (error) => {
      onLine(`netring: ${command}: ${error.message}`, 'stderr')
      done(127)
    })
    child.on('exit', () => end('SIGKILL'))
    child.on('close', (code, signal) => done(signal ?? code))
  })
}

function eachLine(stream, onLine) {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()
    for (const line of lines) onLine(line)
  })
  stream.on('end', () => rest && onLine(rest))
}

/**
 * A folder that is gone when this script is, also by a signal: `restore()` leaves signals to who listens next.
 */
export function temporaryFolder(name) {
  const folder = mkdtempSync(join(tmpdir(), `netring-${name}-`))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return { folder, restore: onSignals((signal) => process.exit(exitStatus(null, signal))) }
}

/** Calls `listener` for the signals that ask a program to end; returns what takes the listeners away again. */
export function onSignals(listener) {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, listener)
  return () => signals.forEach((signal) => process.off(signal, listener))
}

/** Turns what a child process ended with into an exit status, as a shell does. */
export function exitStatus(code, signal) {
  return code ?? 128 + constants.signals[signal]
}

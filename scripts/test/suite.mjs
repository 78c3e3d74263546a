import { runLines, say } from '../run.mjs'

/** Runs one program, shows what it prints, and adds what `tally` reads in it to `total`. */
export async function suite(total, tally, name, command, options) {
  say(`${name}: ${command.join(' ')}`)
  const started = performance.now()
  const onLine = (line, stream) => {
    tally.line(line, stream)
    process.stdout.write(`${line}\n`)
  }
  tally.end(name, await runLines(command, onLine, options))
  total.add(tally)
  say(`${name}: ${((performance.now() - started) / 1000).toFixed(0)} s`)
}

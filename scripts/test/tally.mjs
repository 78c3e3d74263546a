/** Counting what test programs report. A program that ends without its summary counts as a failure. */

export class Tally {
  passed = 0
  failed = []
  skipped = []

  /** A step that passes or fails as a whole. */
  step(name, succeeded) {
    if (succeeded) this.passed += 1
    else this.failed.push(name)
  }

  add({ passed, failed, skipped }) {
    this.passed += passed
    this.failed.push(...failed)
    this.skipped.push(...skipped)
  }

  /** The names that matter, and the line that everything ends with. */
  report() {
    return [
      '',
      ...this.skipped.map((name) => `skipped: ${name}`),
      ...this.failed.map((name) => `failed: ${name}`),
      `${this.passed} passed, ${this.failed.length} failed, ${this.skipped.length} skipped`,
    ].join('\n')
  }
}

/** Reads what report() printed at the end of other output. */
export class ReportTally extends Tally {
  #finished = false

  line(text) {
    const [, list, name] = /^(skipped|failed): (.+)$/.exec(text) ?? []
    const [, passed] = /^(\d+) passed, \d+ failed, \d+ skipped$/.exec(text) ?? []
    if (list) {
      this[list].push(name)
    } else if (passed) {
      this.passed = Number(passed)
      this.#finished = true
    } else if (!this.#finished) {
      this.skipped = []
      this.failed = []
    }
  }

  end(name, status) {
    if (!this.#finished || (status !== 0 && this.failed.length === 0)) this.failed.push(`${name} ended with ${status}`)
  }
}

/** Reads the output of `cargo test`: the numbers from its summaries, the names from the lines before them. */
export class CargoTally extends Tally {
  /** Of the program that has been announced, and of the one whose tests are running. */
  #next = ''
  #program = undefined
  #failed = []
  #ignored = []

  line(text) {
    const [, program] = /^\s*(?:Running|Doc-tests) (.+?)(?: \(.*\))?$/.exec(text) ?? []
    const [, name, outcome, reason] = /^test (.+?) +\.\.\. (FAILED|ignored)(?:, (.+))?$/.exec(text) ?? []
    const counts = /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;/.exec(text)
    if (program) this.#next = program
    if (/^running \d+ tests?$/.test(text)) this.#begin()
    if (outcome === 'FAILED') this.#failed.push(name)
    if (outcome === 'ignored') this.#ignored.push(reason ? `${name} (${reason})` : name)
    if (counts) this.#finish(counts.slice(1).map(Number))
  }

  end(name, status) {
    this.#died()
    if (status !== 0 && this.failed.length === 0) this.failed.push(`${name} ended with ${status}`)
  }

  #begin() {
    this.#died()
    this.#program = this.#next
    this.#failed = []
    this.#ignored = []
  }

  #finish([passed, failed, ignored]) {
    const named = (names, count) => Array.from({ length: count }, (_, i) => `${this.#program}: ${names[i] ?? 'a test'}`)
    this.passed += passed
    this.failed.push(...named(this.#failed, failed))
    this.skipped.push(...named(this.#ignored, ignored))
    this.#program = undefined
  }

  #died() {
    if (this.#program !== undefined) this.failed.push(`${this.#program}: died before it had finished`)
    this.#program = undefined
  }
}

/** Reads the output of `ava --tap`. */
export class TapTally extends Tally {
  #planned

  line(text, stream) {
    if (stream !== 'stdout') return
    const [, outcome, title, mark] = /^(ok|not ok) \d+ - (.*?)( # (?:SKIP|TODO))?$/.exec(text) ?? []
    if (mark) this.skipped.push(title)
    else if (outcome === 'ok') this.passed += 1
    else if (outcome === 'not ok') this.failed.push(title)
    this.#planned ??= /^1\.\.(\d+)$/.exec(text)?.[1]
  }

  /** A line that was lost, or a plan that never came, is a failure, too. */
  end(name, status) {
    const told = this.passed + this.failed.length + this.skipped.length
    if (told !== Number(this.#planned)) {
      this.failed.push(`${name} told of ${told} tests of ${this.#planned ?? 'no plan'} and ended with ${status}`)
    } else if (status !== 0 && this.failed.length === 0) this.failed.push(`${name} ended with ${status}`)
  }
}

/** A program whose exit status is all it tells. */
export class StepTally extends Tally {
  line() {}

  end(name, status) {
    this.step(name, status === 0)
  }
}

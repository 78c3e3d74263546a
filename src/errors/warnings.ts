/** Warnings of the process about what is lost in silence otherwise. */

const said = new Set<string>()

/** Warns the first time that it is called with this code. */
export function warnOnce(code: string, message: string, detail: string): void {
  if (said.has(code)) return
  said.add(code)
  process.emitWarning(message, { type: 'NetringWarning', code, detail })
}

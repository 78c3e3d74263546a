// From trials to what is printed and kept: medians with their spread, tables, and the environment
// without which a number means nothing.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'

/** @param {number[]} values */
export function summarize(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const median = sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2
  return { median, min: sorted[0], max: sorted.at(-1) }
}

/** "12.3 (11.9-14.0)" */
export function spread({ median, min, max }, digits = 1) {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)})`
}

/**
 * A Markdown table; the first column is text, the others are numbers.
 *
 * @param {string[]} header
 * @param {string[][]} rows
 */
export function table(header, rows) {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)))
  const line = (cells) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  return [line(header), rule, ...rows.map(line)].join('\n')
}

export function environment() {
  return {
    date: new Date().toISOString(),
    kernel: release(),
    architecture: process.arch,
    cpu: cpus()[0].model.trim(),
    cpus: cpus().length,
    loadAverage: loadavg().map((load) => Number(load.toFixed(2))),
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    node: process.version,
  }
}

const folder = new URL('results/', import.meta.url)

/**
 * Keeps a measurement in one file: a line for each of its parts, and for each trial. Returns the path, relative to the repository.
 *
 * @param {string} name
 * @param {Record<string, unknown>} content
 */
export function keep(name, content) {
  mkdirSync(folder, { recursive: true })
  const parts = Object.entries(content).map(([key, value]) => `${JSON.stringify(key)}: ${written(value)}`)
  writeFileSync(new URL(`${name}.json`, folder), `{\n${parts.join(',\n')}\n}\n`)
  return `benchmark/results/${name}.json`
}

/**
 * What was kept under a name.
 *
 * @param {string} name
 */
export function recall(name) {
  return JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'), (_key, value) => {
    return value?.columns === undefined ? value : fromTable(value)
  })
}

/** Objects are told as a table, which names their fields once; one that has not all of them is told with null. */
function written(value) {
  if (!Array.isArray(value) || typeof value[0] !== 'object') return JSON.stringify(value)
  const columns = [...new Set(value.flatMap(Object.keys))]
  const rows = value.map((one) => JSON.stringify(columns.map((column) => one[column] ?? null)))
  return `{"columns": ${JSON.stringify(columns)}, "rows": [\n${rows.join(',\n')}\n]}`
}

function fromTable({ columns, rows }) {
  return rows.map((row) => Object.fromEntries(row.map((value, place) => [columns[place], value])))
}

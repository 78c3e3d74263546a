/** Every TypeScript example in README.md, docs, other documents and comments compiles against what the package publishes. */
import test from 'ava'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Example {
  /** As `file:line`. */
  readonly place: string
  readonly code: string
}

/** Fenced blocks of TypeScript; in a comment each line begins with a star. */
function examplesIn(file: string): Example[] {
  const text = readFileSync(join(root, file), 'utf8')
  return [...text.matchAll(/^([ *]*)```ts\n([\s\S]*?)^\1```$/gm)].map(({ 1: margin = '', 2: block = '', index }) => ({
    place: `${file}:${text.slice(0, index).split('\n').length}`,
    code: block
      .split('\n')
      .map((line) => (line.startsWith(margin) ? line.slice(margin.length) : line.slice(margin.trimEnd().length)))
      .join('\n'),
  }))
}

const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => readFileSync(path, 'utf8')) as {
  config: { compilerOptions: object }
}
const { options } = ts.convertCompilerOptionsFromJson(
  // Examples show things without using them.
  { ...config.compilerOptions, noUnusedLocals: false, noUnusedParameters: false, isolatedDeclarations: false },
  root,
)

/** What the compiler says of sources that exist in memory only, in the package's own folder: 'netring' is the package. */
function errorsOf(sources: readonly string[]): string[][] {
  const files = new Map(sources.map((code, index) => [join(root, `example-${index}.ts`), code]))
  const host = ts.createCompilerHost(options)
  const program = ts.createProgram([...files.keys()], options, {
    ...host,
    fileExists: (name) => files.has(name) || host.fileExists(name),
    readFile: (name) => files.get(name) ?? host.readFile(name),
    getSourceFile: (name, target, ...rest) => {
      const code = files.get(name)
      return code === undefined
        ? host.getSourceFile(name, target, ...rest)
        : ts.createSourceFile(name, code, target, true)
    },
  })
  return [...files.keys()].map((name) => {
    const file = program.getSourceFile(name)
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      ({ messageText, start = 0 }) => {
        const line = (file?.getLineAndCharacterOfPosition(start).line ?? 0) + 1
        return `line ${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
      },
    )
  })
}

/** Files of a folder and those below it. */
function filesIn(folder: string, end: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(end))
    .sort()
    .map((name) => join(folder, name))
}

/** Whatever is added to these folders is covered. */
const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  'benchmark/README.md',
  ...filesIn('docs', '.md'),
]

test('every example compiles', (t) => {
  t.timeout(120_000)
  const examples = [...documents, ...filesIn('src', '.ts')].flatMap(examplesIn)
  for (const file of ['README.md', 'docs/tuning.md', 'docs/xdp.md']) {
    t.true(
      examples.some(({ place }) => place.startsWith(file)),
      file,
    )
  }
  t.true(examples.some(({ place }) => place.startsWith('src')))
  const errors = errorsOf(examples.map(({ code }) => code))
  t.deepEqual(
    examples.map(({ place }, index) => [place, ...errors[index]!]),
    examples.map(({ place }) => [place]),
  )
})

test('an example that does not compile is found', (t) => {
  t.timeout(120_000)
  const head = `import { Capture } from 'netring'\n`
  const [right, unknown, wrong] = errorsOf([
    `${head}Capture.open('eth0').close()\nexport {}`,
    `${head}Capture.open('eth0', { blocksize: 1 })`,
    `${head}const length: string = Capture.open('eth0').ring.blockSize`,
  ])
  t.deepEqual(right, [])
  t.regex(unknown?.[0] ?? '', /^line 2: .*blocksize/)
  t.regex(wrong?.[0] ?? '', /^line 2: .*not assignable/)
})

test('every @example is a fenced block, so that it is checked', (t) => {
  for (const file of filesIn('src', '.ts')) {
    const text = readFileSync(join(root, file), 'utf8')
    t.is(text.match(/@example\b/g)?.length ?? 0, text.match(/@example\n[ *]*```ts\n/g)?.length ?? 0, file)
  }
})

test('no block of a document is TypeScript under another name, and JSON is JSON', (t) => {
  for (const file of documents) {
    const text = readFileSync(join(root, file), 'utf8')
    for (const [, language = '', code = ''] of text.matchAll(/^ *```([^\n`]*)\n([\s\S]*?)^ *```$/gm)) {
      t.true(['ts', 'sh', 'json', 'yaml', 'toml', ''].includes(language), `${file}: ${language}`)
      if (language === 'json') t.notThrows(() => JSON.parse(code) as unknown, file)
      if (language === '') t.notRegex(code, /\bimport\b[^;]* from '|\bconst \w+ = /, file)
    }
  }
})

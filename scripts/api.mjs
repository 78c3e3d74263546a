/**
 * `npm run api`: writes __test__/types/api.d.ts, all that the package declares for its users in one file, without comments and
 * without what is private. It is committed, so that a change of the public API is a change that somebody sees.
 * `npm run api -- --check`: fails when what is committed is not what src declares.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import prettier from 'prettier'
import { rollup } from 'rollup'
import { dts } from 'rollup-plugin-dts'
import ts from 'typescript'
import { root, say, stop, temporaryFolder } from './run.mjs'
import { buildTypeScript } from './setup/build.mjs'

const file = join(root, '__test__', 'types', 'api.d.ts')

buildTypeScript()
const { folder } = temporaryFolder('api')
const stripped = join(folder, 'stripped.d.ts')
writeFileSync(stripped, withoutPrivate(await rolledUp(join(root, 'dist', 'index.d.ts'))))
// Once more, because much of what is left has been there for private members only.
const api = await prettier.format(await rolledUp(stripped), {
  ...(await prettier.resolveConfig(file)),
  parser: 'typescript',
})

if (!process.argv.includes('--check')) {
  writeFileSync(file, api)
  say(`written: ${relative(root, file)}, ${api.split('\n').length} lines`)
} else if (readFileSync(file, 'utf8') !== api) {
  stop(`the public API is not what ${relative(root, file)} says. If it is to change, run:\n  npm run api && git diff`)
} else {
  say(`the public API is what ${relative(root, file)} says`)
}

async function rolledUp(input) {
  const bundle = await rollup({ input, plugins: [dts()], external: [/^node:/] })
  const { output } = await bundle.generate({ format: 'es' })
  await bundle.close()
  return output[0].code
}

/** Members that the compiler lets nobody use go, and so do comments; a constructor keeps that it is not for users. */
function withoutPrivate(text) {
  const source = ts.createSourceFile('api.d.ts', text, ts.ScriptTarget.Latest, true)
  const hidden = ts.SyntaxKind.PrivateKeyword
  const isHidden = (node) =>
    ts.isClassElement(node) &&
    (node.modifiers?.some(({ kind }) => kind === hidden || kind === ts.SyntaxKind.ProtectedKeyword) ||
      (node.name !== undefined && ts.isPrivateIdentifier(node.name)))
  const { factory } = ts
  const any = ts.SyntaxKind.AnyKeyword
  const addon = new Set(
    readFileSync(join(root, 'index.d.ts'), 'utf8').match(/(?<=^export (?:declare class|interface|type) )\w+/gm),
  )
  // The addon's own and the interfaces over it, which base classes take as type arguments: no user has a value of them.
  const isNative = (node) =>
    ((ts.isClassDeclaration(node) || ts.isTypeAliasDeclaration(node)) && addon.has(node.name.text)) ||
    (ts.isInterfaceDeclaration(node) && node.name.text.startsWith('Native'))
  const visit = (node) => {
    if (isNative(node)) {
      return factory.createTypeAliasDeclaration([], node.name, undefined, factory.createKeywordTypeNode(any))
    }
    if (!isHidden(node)) return ts.visitEachChild(node, visit, undefined)
    if (!ts.isConstructorDeclaration(node)) return undefined
    return factory.createConstructorDeclaration(node.modifiers, [], undefined)
  }
  return ts.createPrinter({ removeComments: true }).printFile(ts.visitNode(source, visit))
}

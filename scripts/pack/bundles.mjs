/** Bundles of a program that uses netring: with netring left external, as docs/bundlers.md says, and what becomes of it otherwise. */
import { dirname, basename, join } from 'node:path'
import { build } from 'esbuild'
import webpack from 'webpack'
import { attempt, refused, works } from './attempt.mjs'

const bundles = [
  {
    name: 'esbuild, ESM, netring external',
    file: 'esbuild.mjs',
    make: esbuild({ format: 'esm', external: ['netring'] }),
    expected: works,
  },
  {
    name: 'esbuild, CommonJS, netring external',
    file: 'esbuild.cjs',
    make: esbuild({ format: 'cjs', external: ['netring'] }),
    expected: works,
  },
  {
    name: 'esbuild, CommonJS, netring bundled',
    file: 'esbuild-bundled.cjs',
    make: esbuild({ format: 'cjs' }),
    expected: refused('ERR_NETRING_UNSUPPORTED', /mark it as external/),
  },
  {
    name: 'esbuild, ESM, netring bundled',
    file: 'esbuild-bundled.mjs',
    make: esbuild({ format: 'esm' }),
    expected: { packets: 'works', pool: 'MODULE_NOT_FOUND' },
  },
  {
    name: 'webpack, ESM, netring external',
    file: 'webpack.mjs',
    make: viaWebpack({
      externals: { netring: 'module netring' },
      experiments: { outputModule: true },
      output: { module: true, library: { type: 'module' } },
    }),
    expected: works,
  },
  {
    name: 'webpack, CommonJS, netring external',
    file: 'webpack.cjs',
    make: viaWebpack({ externals: { netring: 'commonjs netring' } }),
    expected: works,
  },
  {
    name: 'webpack, CommonJS, netring bundled',
    file: 'webpack-bundled.cjs',
    make: viaWebpack({}),
    expected: refused('ERR_NETRING_UNSUPPORTED', /leave netring external/),
  },
]

/** Name and faults of each bundle, run in the project's folder. */
export async function* bundleChecks(options) {
  for (const { name, file, make, expected } of bundles) {
    const output = join(options.cwd, 'bundles', file)
    await make(join(options.cwd, 'testkit/consumer/try.mjs'), output)
    yield [name, attempt([process.execPath, output], expected, options)]
  }
}

function esbuild(settings) {
  return (entry, outfile) =>
    build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', logLevel: 'silent', ...settings })
}

function viaWebpack({ output, ...settings }) {
  return (entry, file) =>
    new Promise((resolve, reject) => {
      const configuration = {
        entry,
        context: dirname(entry),
        target: 'node20',
        mode: 'production',
        output: { ...output, path: dirname(file), filename: basename(file) },
        ...settings,
      }
      webpack(configuration, (error, stats) => {
        if (error) reject(error)
        else if (stats.hasErrors()) reject(new Error(stats.toString('errors-only')))
        else resolve()
      })
    })
}

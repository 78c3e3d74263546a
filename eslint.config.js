import js from '@eslint/js'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

export default defineConfig(
  globalIgnores([
    'index.d.ts',
    'dist',
    'docs/reference',
    'target',
    'coverage',
    'npm',
    // Compiled against the installed package, by scripts/pack/types.mjs.
    'testkit/consumer/types',
    // Made by `npm run api`.
    '__test__/types/api.d.ts',
    'benchmark/peers',
    'benchmark/results',
  ]),
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // Numbers read well in a message.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // Callers in JavaScript give what the types exclude, and close() may come in between any two lines.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // isolatedDeclarations asks for more annotations than this rule lets stand.
      '@typescript-eslint/no-inferrable-types': 'off',
    },
  },
  {
    files: ['__test__/**', 'examples/**'],
    rules: {
      // A wrong guess fails the test, which is what it is for.
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  {
    // Types for the compiler alone: what is declared need not make sense to run, and what must not compile has no type.
    files: ['__test__/types/**'],
    rules: {
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-unsafe-declaration-merging': 'off',
      '@typescript-eslint/no-empty-object-type': 'off',
    },
  },
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: {
      globals: Object.fromEntries(Object.getOwnPropertyNames(globalThis).map((name) => [name, 'readonly'])),
    },
  },
)

import reactHooks from 'eslint-plugin-react-hooks'
import tseslint from 'typescript-eslint'

/**
 * Correctness rules only; layout is Prettier's. Rules that need types are in .oxlintrc.json, layer rules in
 * .dependency-cruiser.cjs.
 */
export default tseslint.config(
  {
    ignores: [
      'node_modules/**',
      'out/**',
      'dist/**',
      'artefacts/**',
      '.cache/**',
      'coverage/**',
      'bench/node_modules/**',
      'mutation/node_modules/**',
      'scripts/planted/**',
    ],
  },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.strict],
    plugins: { 'react-hooks': reactHooks },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        {
          argsIgnorePattern: '^_',
          varsIgnorePattern: '^_',
          caughtErrors: 'none',
          ignoreRestSiblings: true,
        },
      ],
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/no-dynamic-delete': 'off',
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
        {
          selector:
            "CallExpression[callee.property.name='only'][callee.object.name=/^(it|test|describe)$/]",
          message: 'A focused test silences all others.',
        },
      ],
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    files: ['**/*.tsx', 'src-renderer/**/*.ts'],
    rules: {
      ...reactHooks.configs['recommended-latest']?.rules,
      // The React Compiler is not used; the virtual list works without it.
      'react-hooks/incompatible-library': 'off',
    },
  },
  {
    // The engine and the protocol are replayed from a seed: time, chance and the world arrive as arguments.
    files: ['src-shared/**/*.ts'],
    ignores: ['**/*.test.ts', '**/testing/**'],
    rules: {
      'no-restricted-globals': [
        'error',
        'Date',
        'setTimeout',
        'setInterval',
        'fetch',
        'crypto',
        'process',
        'Buffer',
        'window',
        'document',
      ],
      'no-restricted-properties': [
        'error',
        {
          object: 'Math',
          property: 'random',
          message: 'Randomness arrives through the Random port.',
        },
      ],
    },
  },
  {
    files: [
      'scripts/**',
      'host/**',
      'bench/**',
      'e2e/**',
      'src-homeserver/main.ts',
      'src-homeserver/cli/**',
      '*.config.ts',
    ],
    rules: { 'no-console': 'off' },
  },
  { files: ['**/*.config.ts'], rules: { 'no-restricted-syntax': 'off' } },
)

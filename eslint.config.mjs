import tseslint from 'typescript-eslint';

const nodeModules = { regex: '^node:', message: 'This layer is pure: side effects belong to src/node.' };
const vscode = { regex: '^vscode$', message: 'Only src/extension imports vscode.' };
const execa = { regex: '^execa$', message: 'Only src/node/process.ts runs processes.' };
const ollama = { regex: '^ollama(/|$)', message: 'Only src/node/ollama/ollamaClient.ts imports ollama.' };
const childProcess = {
  regex: '^(node:)?child_process$',
  message: 'Processes are started through src/node only, never through a shell.',
};
const layer = (name) => ({ regex: `(^|/)${name}(/|$)`, message: `This layer does not import ${name}.` });

/** One rule set per layer: what its files may not import. */
const layers = [
  [
    'src/core/**/*.ts',
    [
      nodeModules,
      vscode,
      execa,
      ollama,
      layer('node'),
      layer('cli'),
      layer('extension'),
      layer('language-server'),
      { regex: '^[^.]', message: 'Core imports itself and zod only.' },
    ],
  ],
  ['src/node/**/*.ts', [vscode, layer('cli'), layer('extension'), layer('language-server')]],
  ['src/cli/**/*.ts', [vscode, execa, ollama, childProcess, layer('extension')]],
  [
    'language-server/src/service/**/*.ts',
    [nodeModules, vscode, execa, ollama, layer('node'), layer('cli'), layer('extension')],
  ],
  ['language-server/src/server/**/*.ts', [vscode, execa, ollama, childProcess, layer('cli'), layer('extension')]],
  ['src/extension/**/*.ts', [execa, ollama, layer('cli')]],
];

export default tseslint.config(
  {
    ignores: [
      'dist/',
      'node_modules/',
      'test/fixtures/',
      'test/golden/',
      'test/support/probe/',
      'src/core/engine/kernels/assembly/',
      'src/core/engine/kernels/build/',
      '.cache/',
      'media/',
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['*.mjs', 'scripts/*.mjs', 'scripts/*/*.mjs', 'bench/*.mjs'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allowNever: true },
      ],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      'no-console': 'error',
      curly: 'error',
      eqeqeq: 'error',
      'no-restricted-syntax': ['error', { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' }],
    },
  },
  ...layers.map(([files, patterns]) => ({
    files: [files],
    rules: { 'no-restricted-imports': ['error', { patterns }] },
  })),
  {
    // zod is the one package that core may import.
    files: ['src/core/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            nodeModules,
            vscode,
            execa,
            ollama,
            layer('node'),
            layer('cli'),
            layer('extension'),
            layer('language-server'),
            { regex: '^(?!\\.|zod$|zod/)', message: 'Core imports itself and zod only.' },
          ],
        },
      ],
      'no-restricted-globals': [
        'error',
        'process',
        'Buffer',
        'require',
        '__dirname',
        'fetch',
        'setTimeout',
        'setInterval',
      ],
    },
  },
  {
    // As many arguments as a file has entries end the call.
    files: ['src/core/**/*.ts', 'src/node/**/*.ts'],
    ignores: ['src/core/engine/kernels/assembly/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
        {
          selector: ':matches(CallExpression, NewExpression) > SpreadElement',
          message: 'No spread into arguments: append(list, items), or a loop.',
        },
      ],
    },
  },
  { files: ['**/*.mjs', 'vitest.config.mts'], ...tseslint.configs.disableTypeChecked },
  {
    files: ['**/*.mjs', 'vitest.config.mts', '*.mjs'],
    rules: {
      ...tseslint.configs.disableTypeChecked.rules,
      'no-restricted-syntax': 'off',
      'no-console': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.ts'],
    rules: { 'no-console': 'off', '@typescript-eslint/explicit-module-boundary-types': 'off' },
  },
);

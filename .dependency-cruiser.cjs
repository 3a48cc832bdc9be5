/** Layer rules (ARCHITECTURE.md). Each has a planted violation that scripts/layers.test.ts sees rejected. */
const path = (p) => ({ path: p })
const sharedFolders = ['protocol', 'api', 'client', 'ipc', 'view-model']

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'not-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^(electron|virtual:)' },
    },
    {
      name: 'protocol-is-pure',
      severity: 'error',
      comment: 'protocol imports only itself, @noble, @scure and the schema library',
      from: { path: '^src-shared/protocol/', pathNot: '(\\.test\\.ts$|/testing/)' },
      to: { pathNot: '^(src-shared/protocol/|node_modules/(@noble|@scure)/|node_modules/zod/)' },
    },
    {
      name: 'shared-imports-no-other-layer',
      severity: 'error',
      from: { path: '^src-shared/', pathNot: '(\\.test\\.ts$|/testing/)' },
      to: { path: '^(src-(main|renderer|platform|homeserver|ecosystem)|host|e2e|bench|scripts)/' },
    },
    {
      name: 'shared-knows-no-platform',
      severity: 'error',
      from: { path: '^src-shared/', pathNot: '(\\.test\\.ts$|/testing/)' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'shared-imports-few-libraries',
      severity: 'error',
      from: { path: '^src-shared/', pathNot: '(\\.test\\.ts$|/testing/)' },
      to: { path: '^node_modules/', pathNot: '^node_modules/(@noble|@scure|zod)/' },
    },
    ...sharedFolders.map((folder) => ({
      name: `enter-${folder}-through-index`,
      severity: 'error',
      comment:
        'a folder of src-shared is entered through its index.ts only (its testing/ folders by tests)',
      from: { pathNot: `(^src-shared/${folder}/)` },
      to: {
        path: `^src-shared/${folder}/`,
        pathNot: `^src-shared/${folder}/(index\\.ts$|testing/|[a-z-]+/testing/)`,
      },
    })),
    {
      name: 'testing-stays-in-tests',
      severity: 'error',
      from: { pathNot: '(\\.test\\.tsx?$|/testing/|^e2e/|^bench/|^scripts/)' },
      to: { path: '/testing/' },
    },
    {
      name: 'view-model-and-ipc-are-data',
      severity: 'error',
      from: { path: '^src-shared/(view-model|ipc)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src-shared/(protocol|api|client)/' },
    },
    {
      name: 'api-knows-no-engine',
      severity: 'error',
      from: { path: '^src-shared/api/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src-shared/(client|ipc|view-model)/' },
    },
    {
      name: 'engine-knows-no-ipc',
      severity: 'error',
      from: { path: '^src-shared/client/', pathNot: '(\\.test\\.ts$|/testing/)' },
      to: { path: '^src-shared/ipc/' },
    },
    {
      name: 'renderer-never-sees-a-key',
      severity: 'error',
      from: { path: '^src-renderer/', pathNot: '(\\.test\\.tsx?$|/testing/)' },
      to: {
        path: '^(src-(main|platform|homeserver|ecosystem)/|src-shared/(protocol|client|api)/|host/|node_modules/(electron|dexie|@noble)/)',
      },
    },
    {
      name: 'renderer-knows-no-node',
      severity: 'error',
      from: { path: '^src-renderer/', pathNot: '(\\.test\\.tsx?$|/testing/)' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'vault-page-only-stores',
      severity: 'error',
      comment: 'the hidden window sees sealed records and nothing else of the program',
      from: { path: '^src-main/vault-page/', pathNot: '\\.test\\.ts$' },
      to: {
        pathNot:
          '^(src-main/vault-page/|src-main/vault/port-messages\\.ts$|node_modules/(dexie|zod)/)',
      },
    },
    {
      name: 'preload-is-the-contract',
      severity: 'error',
      from: { path: '^src-main/preload' },
      to: {
        pathNot:
          '^(src-main/preload|src-main/vault/port-messages\\.ts$|src-shared/ipc/|node_modules/electron/|electron$)',
      },
    },
    {
      name: 'node-knows-no-client',
      severity: 'error',
      from: { path: '^src-homeserver/', pathNot: '(\\.test\\.ts$|/testing/)' },
      to: {
        path: '^(src-(main|renderer|ecosystem)/|src-shared/(client|ipc|view-model)/|host/|node_modules/(electron|dexie)/)',
      },
    },
    {
      name: 'platform-is-shared-by-all',
      severity: 'error',
      from: { path: '^src-platform/', pathNot: '(\\.test\\.ts$|/testing/)' },
      to: { path: '^(src-(main|renderer|homeserver|ecosystem)/|host/|node_modules/electron/)' },
    },
    {
      name: 'conformance-is-a-stranger',
      severity: 'error',
      comment:
        'the suite tests any node: it knows the protocol and the contract, and nothing of this one',
      from: { path: '^conformance/', pathNot: '(\\.test\\.ts$|/testing/)' },
      to: {
        path: '^(src-|host/|e2e/|bench/|scripts/|fixtures/|mutation/)',
        pathNot:
          '^(src-shared/(protocol|api)/index\\.ts$|src-platform/(crypto/|on-pinned-node\\.js$))',
      },
    },
    {
      name: 'product-knows-no-conformance',
      severity: 'error',
      from: { path: '^src-', pathNot: '(\\.test\\.ts$|/testing/)' },
      to: path('^conformance/'),
    },
    {
      name: 'product-knows-no-host',
      severity: 'error',
      from: { path: '^src-', pathNot: '\\.test\\.ts$' },
      to: path('^host/'),
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(out|dist|artefacts|(bench|mutation)/node_modules)/' },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.cjs', '.json'],
    },
  },
}

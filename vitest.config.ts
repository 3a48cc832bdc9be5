import { availableParallelism } from 'node:os'
import { configDefaults, defineConfig } from 'vitest/config'
import { CHOICE_VARIABLE } from './src-homeserver/testing/database.ts'
import { findPostgres } from './src-homeserver/testing/postgresql.ts'

/** Tests that are about PostgreSQL alone, and the one that stands for them where there is none. */
const POSTGRESQL_ALONE = 'src-*/**/*.postgresql.test.ts'
/** Tests that work on the files of a SQLite database. */
const SQLITE_ALONE = 'src-*/**/*.sqlite.test.ts'
/** Tests of the long run. */
const LONG_ALONE = process.env['ECCP_LONG'] === '1' ? [] : ['src-*/**/*.long.*test.ts']
const NO_POSTGRESQL = 'src-homeserver/testing/no-postgresql.test.ts'
/** What runs on both databases; in the long run, all of the node, and the conformance suite. */
const ON_BOTH =
  process.env['ECCP_LONG'] === '1'
    ? ['src-homeserver/**/*.test.ts', 'conformance/conformance.test.ts']
    : ['src-homeserver/storage/*.test.ts', 'src-homeserver/routes/*.test.ts']

export default defineConfig({
  test: {
    environment: 'node',
    // vitest leaves one core to its own process, which here waits; many tests wait for nodes and browsers.
    maxWorkers: availableParallelism() + 1,
    // Files of one worker share its modules: loading them anew for each costs a third of the whole run.
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [
            'src-*/**/*.test.ts',
            'src-*/**/*.test.tsx',
            'conformance/**/*.test.ts',
            'host/**/*.test.ts',
            'scripts/**/*.test.ts',
            'e2e/**/*.test.ts',
            'fixtures/**/*.test.ts',
            'spec/**/*.test.ts',
          ],
          exclude: [...configDefaults.exclude, POSTGRESQL_ALONE, NO_POSTGRESQL, ...LONG_ALONE],
        },
      },
      {
        extends: true,
        test: {
          name: 'postgresql',
          // Every statement goes to another process and back.
          testTimeout: 180_000,
          include: 'bin' in findPostgres() ? [...ON_BOTH, POSTGRESQL_ALONE] : [NO_POSTGRESQL],
          exclude: [
            ...configDefaults.exclude,
            SQLITE_ALONE,
            ...('bin' in findPostgres() ? [NO_POSTGRESQL] : []),
          ],
          env: { [CHOICE_VARIABLE]: 'postgresql' },
          globalSetup: './src-homeserver/testing/postgresql-setup.ts',
        },
      },
    ],
  },
})

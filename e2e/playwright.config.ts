/**
 * The end-to-end suite: real windows, real nodes. Which shell runs the app, ECCP_E2E_EXECUTABLE says;
 * without it, the development host. Artefacts lie under `artefacts/e2e/`.
 */
import { join } from 'node:path'
import { defineConfig } from '@playwright/test'

const report = process.env['PLAYWRIGHT_JSON_OUTPUT_NAME']

export default defineConfig({
  testDir: import.meta.dirname,
  testMatch: '**/*.spec.ts',
  outputDir: join(import.meta.dirname, '..', 'artefacts', 'e2e', 'output'),
  // A test that passes only the second time has failed.
  retries: 0,
  workers: 2,
  // Each file shares a node and accounts, so its tests run one after the other.
  fullyParallel: false,
  forbidOnly: true,
  timeout: 180_000,
  expect: { timeout: 20_000 },
  reporter: report === undefined ? [['list']] : [['list'], ['json']],
  use: { trace: 'off', actionTimeout: 20_000 },
})

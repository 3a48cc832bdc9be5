/** Playwright's `test`, which keeps a picture of every open window when a test fails. */
import { join } from 'node:path'
import { test as base } from '@playwright/test'
import { openApps } from './app.ts'

export { expect } from '@playwright/test'

export const artefacts = join(import.meta.dirname, '..', '..', 'artefacts', 'e2e')

const fileName = (text: string): string => text.replace(/[^\p{L}\p{N}]+/gu, '-').slice(0, 80)

export const test = base.extend<{ pictures: undefined }>({
  pictures: [
    async ({}, use, testInfo) => {
      await use(undefined)
      if (testInfo.status === testInfo.expectedStatus) return
      for (const { page, options } of openApps()) {
        const name = `${fileName(testInfo.titlePath.join(' '))}-${options.profile ?? 'default'}.png`
        const path = join(artefacts, 'failed', name)
        await page.screenshot({ path, timeout: 5_000 }).catch(() => undefined)
      }
    },
    { auto: true },
  ],
})

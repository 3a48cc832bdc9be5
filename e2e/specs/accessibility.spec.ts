/** Every screen, in light and in dark, through axe: no violation. A picture of each is kept. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import { passphrase } from '../driver/person.ts'
import { Person, Stage } from '../driver/stage.ts'
import { artefacts, expect, test } from '../driver/test.ts'

const pictures = join(artefacts, 'screens')
mkdirSync(pictures, { recursive: true })

/** Axe over what is shown now, in both themes. */
async function isAccessible(page: Page, name: string): Promise<void> {
  for (const theme of ['light', 'dark'] as const) {
    // Without motion the colours are those that stay.
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
    await page.screenshot({ path: join(pictures, `${name}-${theme}.png`) })
    // Legacy mode: axe otherwise opens a page of its own, which an app does not allow.
    const { violations, passes } = await new AxeBuilder({ page }).setLegacyMode().analyze()
    expect(passes.length, `axe looked at ${name}`).toBeGreaterThan(3)
    expect(
      violations.map(
        ({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`,
      ),
      `${name}, ${theme}`,
    ).toEqual([])
  }
}

test('the screens of a newcomer', async () => {
  test.setTimeout(240_000)
  const stage = await Stage.withNode()
  try {
    const ada = new Person('ada', 'Ada', 'ada')
    const page = await stage.open(ada)
    await expect(page.getByLabel('Repeat the passphrase')).toBeVisible()
    await isAccessible(page, 'passphrase')
    await page.getByLabel('Passphrase', { exact: true }).fill(passphrase)
    await page.getByLabel('Repeat the passphrase').fill(passphrase)
    await page.getByRole('button', { name: 'Lock with this passphrase' }).click()
    await expect(page.getByRole('button', { name: 'Create an account' })).toBeVisible()
    await isAccessible(page, 'welcome')
    await page.getByRole('button', { name: 'I already have an account' }).click()
    await isAccessible(page, 'sign-in')
    await page.getByRole('button', { name: 'Back' }).first().click()
    await page.getByRole('button', { name: 'Create an account' }).click()
    await page.getByRole('radio', { name: /On another server/ }).check()
    await page.getByLabel('Server address').fill(stage.address)
    await isAccessible(page, 'where')
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByLabel('Name', { exact: true }).fill('ada')
    await page.getByLabel(/^Display name/).fill('Ada')
    await page.getByLabel('Password', { exact: true }).fill(ada.password)
    await isAccessible(page, 'you')
    await page.getByRole('button', { name: 'Continue' }).click()
    await expect(
      page.getByRole('list', { name: 'Recovery words' }).getByRole('listitem'),
    ).toHaveCount(24)
    await isAccessible(page, 'words')
    await page.getByRole('button', { name: 'I wrote them down' }).click()
    await expect(page.getByLabel(/^Word \d+$/)).toHaveCount(3)
    await isAccessible(page, 'confirm')
  } finally {
    await stage.end()
  }
})

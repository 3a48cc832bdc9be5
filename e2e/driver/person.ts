/**
 * One person at one desktop: what they do, in the words of the interface. Everything goes through roles
 * and names that a screen reader would use, so a specification reads like instructions to a newcomer.
 */
import { expect, type Locator, type Page } from '@playwright/test'

export const passphrase = 'heron reed lantern orbit'

export interface NewAccount {
  readonly name: string
  readonly displayName: string
  readonly password: string
  /** Null: the personal node. */
  readonly server: string | null
}

/** Without a keychain the app asks for a passphrase before anything is kept. */
export async function choosePassphrase(page: Page): Promise<void> {
  const submit = page.getByRole('button', { name: 'Lock with this passphrase' })
  const welcome = page.getByRole('button', { name: 'Create an account' })
  await expect(submit.or(welcome)).toBeVisible({ timeout: 20_000 })
  if (!(await submit.isVisible())) return
  await page.getByLabel('Passphrase', { exact: true }).fill(passphrase)
  await page.getByLabel('Repeat the passphrase').fill(passphrase)
  await submit.click()
  await expect(submit).toBeHidden({ timeout: 20_000 })
}

export async function unlock(page: Page, words = passphrase): Promise<void> {
  await page.getByLabel('Passphrase', { exact: true }).fill(words)
  await page.getByRole('button', { name: 'Unlock', exact: true }).click()
}

/** Types the recovery words that are asked for. */
export async function answerWords(page: Page, words: readonly string[]): Promise<void> {
  for (const field of await page.getByLabel(/^Word \d+$/).all()) {
    const label = await field.evaluate(
      (element) => (element as HTMLInputElement).labels?.[0]?.textContent ?? '',
    )
    const position = Number(/\d+/.exec(label)?.[0])
    await field.fill(words[position - 1] ?? '')
  }
}

/** Answers the question after some of the recovery words; ends in the workspace. */
export async function confirmWords(page: Page, words: readonly string[]): Promise<void> {
  await answerWords(page, words)
  await page.getByRole('button', { name: 'Create account' }).click()
  await expect(workspace(page)).toBeVisible({ timeout: 30_000 })
}

/** Starts at the welcome screen; ends in the workspace. Gives the recovery words. */
export async function createAccount(page: Page, account: NewAccount): Promise<string[]> {
  await page.getByRole('button', { name: 'Create an account' }).click()
  if (account.server === null) {
    await page.getByRole('radio', { name: /On this computer/ }).check()
  } else {
    await page.getByRole('radio', { name: /On another server/ }).check()
    await page.getByLabel('Server address').fill(account.server)
  }
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByLabel('Name', { exact: true }).fill(account.name)
  await page.getByLabel(/^Display name/).fill(account.displayName)
  await page.getByLabel('Password', { exact: true }).fill(account.password)
  await page.getByRole('button', { name: 'Continue' }).click()
  const listed = page.getByRole('list', { name: 'Recovery words' }).getByRole('listitem')
  await expect(listed).toHaveCount(24, { timeout: 20_000 })
  const words = await listed.allInnerTexts()
  await page.getByRole('button', { name: 'I wrote them down' }).click()
  await confirmWords(page, words)
  return words
}

export async function signIn(
  page: Page,
  account: { name: string; password: string; server: string | null },
): Promise<void> {
  await page.getByRole('button', { name: 'I already have an account' }).click()
  await page.getByLabel('Your name or address').fill(account.name)
  if (account.server !== null) await page.getByLabel(/^Server/).fill(account.server)
  await page.getByLabel('Password', { exact: true }).fill(account.password)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

export function workspace(page: Page): Locator {
  return page.getByRole('navigation', { name: 'Conversations' })
}

export async function startDirect(page: Page, who: string): Promise<void> {
  await page.getByRole('button', { name: 'New conversation' }).first().click()
  const dialog = page.getByRole('dialog', { name: 'New conversation' })
  await dialog.getByLabel('Who do you want to talk to?').fill(who)
  await dialog.getByRole('button', { name: 'Find' }).click()
  await dialog.getByRole('button', { name: 'Start conversation' }).click()
  await expect(dialog).toBeHidden({ timeout: 20_000 })
}

/** The interface puts marks around names that are written from right to left. */
export const named = (before: string, name: string): RegExp =>
  new RegExp(`^${before}\u2068?${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}\u2069?$`)

export async function accept(page: Page, from: string): Promise<void> {
  await page
    .getByRole('button', { name: named('Accept invitation from ', from) })
    .first()
    .click({ timeout: 20_000 })
}

export function composer(page: Page): Locator {
  return page.getByRole('textbox', { name: /^Message to / })
}

export async function say(page: Page, text: string): Promise<void> {
  await composer(page).fill(text)
  await composer(page).press('Enter')
}

export function messages(page: Page): Locator {
  return page.getByRole('list', { name: 'Messages' })
}

export async function sees(page: Page, text: string, timeout = 20_000): Promise<void> {
  await expect(messages(page).getByText(text, { exact: true }).first()).toBeVisible({ timeout })
}

/** The row of a message; the newest one where several say the same. */
export function messageWith(page: Page, text: string): Locator {
  return messages(page)
    .getByRole('listitem', { name: /, \d\d:\d\d$/ })
    .filter({ hasText: text })
    .last()
}

/** Which of these texts the conversation shows, in its order; one that shows twice is there twice. */
export async function saidInOrder(page: Page, texts: readonly string[]): Promise<string[]> {
  const rows = await messages(page)
    .getByRole('listitem', { name: /, \d\d:\d\d$/ })
    .allInnerTexts()
  return rows.flatMap((row) => texts.filter((text) => row.split('\n').includes(text)))
}

/** What stands above the conversations until it is over. */
export const notices = (page: Page): Locator => page.getByRole('region', { name: 'Notices' })

export const delivered = (message: Locator, to: string): Locator =>
  message.getByRole('img', { name: new RegExp(`^(Delivered to|Read by) ${to}`) })

export function roomRow(page: Page, name: string): Locator {
  return workspace(page)
    .getByRole('list', { name: 'Conversations' })
    .getByRole('listitem')
    .filter({ has: page.getByText(name, { exact: true }) })
}

export async function openRoom(page: Page, name: string): Promise<void> {
  await roomRow(page, name).getByRole('button').click()
  await expect(page.getByRole('main', { name: named('Conversation with ', name) })).toBeVisible()
}

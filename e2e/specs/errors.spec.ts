/** What goes wrong on the way to a server, and in front of it: said plainly, with nothing typed in vain. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Locator } from '@playwright/test'
import { composer, messageWith, notices, say, sees, workspace } from '../driver/person.ts'
import { acquaint, Stage, type Person } from '../driver/stage.ts'
import { expect, test } from '../driver/test.ts'

// One story: each step begins where the one before ended.
test.describe.configure({ mode: 'serial' })

let stage: Stage
let ada: Person
let bo: Person
/** Has no account yet, and meets every obstacle. */
let eve: Person
/** Answers, but is no server of conversations. */
let bakery: Server

test.beforeAll(async () => {
  stage = await Stage.withProxy(['--token-lifetime-days', '1'])
  bakery = createServer((_request, answer) => answer.end('<h1>Bread and rolls</h1>'))
  await new Promise<void>((resolve) => bakery.listen(0, '127.0.0.1', resolve))
  ;[ada, bo, eve] = await Promise.all([
    stage.newcomer('ada', 'Ada'),
    stage.newcomer('bo', 'Bo'),
    stage.desktop('eve', 'Eve'),
  ])
  await acquaint(ada, bo)
})
test.afterAll(async () => {
  bakery.close()
  await stage.end()
})

const problem = (text: string): Locator => eve.page.getByRole('alert').filter({ hasText: text })
const press = (name: string): Promise<void> =>
  eve.page.getByRole('button', { name, exact: true }).click()

test('a server address that leads nowhere, or elsewhere, is told apart, and stays in its field', async () => {
  const { page } = eve
  await press('Create an account')
  await page.getByRole('radio', { name: /On another server/ }).check()
  const field = page.getByLabel('Server address')
  const { port } = bakery.address() as AddressInfo
  for (const [address, said] of [
    ['http://127.0.0.1:1', 'The server can’t be reached.'],
    [`http://127.0.0.1:${String(port)}`, 'There is no PrivChat server at this address.'],
    ['not an address', 'That doesn’t look right.'],
  ] as const) {
    await field.fill(address)
    await press('Continue')
    await expect(problem(said)).toBeVisible()
    await expect(field).toHaveValue(address)
  }
})

test('a server that answers too late is called slow; a message on its way arrives all the same', async () => {
  const { page } = eve
  stage.proxy.setDelay(10_500)
  await page.getByLabel('Server address').fill(stage.address)
  await press('Continue')
  await say(ada.page, 'Through thick honey')
  await expect(
    messageWith(ada.page, 'Through thick honey').getByRole('img', { name: 'Sending…' }),
  ).toBeVisible()
  await expect(problem('The server took too long to answer.')).toBeVisible()
  stage.proxy.setDelay(0)
  await press('Continue')
  await expect(page.getByRole('heading', { name: 'How should people find you?' })).toBeVisible()
  await sees(bo.page, 'Through thick honey', 40_000)
})

test('a name that is taken leads back to where another can be chosen, and the rest is kept', async () => {
  const { page } = eve
  await page.getByLabel('Name', { exact: true }).fill('ada')
  await page.getByLabel(/^Display name/).fill('Eve')
  await page.getByLabel('Password', { exact: true }).fill(eve.password)
  await press('Continue')
  const words = page.getByRole('list', { name: 'Recovery words' }).getByRole('listitem')
  await expect(words).toHaveCount(24)
  const listed = await words.allInnerTexts()
  await press('I wrote them down')
  const fields = page.getByLabel(/^Word \d+$/)
  const asked: string[] = []
  for (const field of await fields.all()) {
    const label = await field.evaluate(
      (element) => (element as HTMLInputElement).labels?.[0]?.textContent ?? '',
    )
    asked.push(listed[Number(/\d+/.exec(label)?.[0]) - 1] ?? '')
  }
  await fields.nth(0).fill('wrong')
  await press('Create account')
  await expect(problem('is not word').first()).toBeVisible()
  for (const [index, word] of asked.entries()) await fields.nth(index).fill(word)
  await press('Create account')
  await expect(problem('This name is taken. Choose another one.')).toBeVisible()
  await expect(page.getByLabel(/^Display name/)).toHaveValue('Eve')
  await expect(page.getByLabel('Password', { exact: true })).toHaveValue(eve.password)
  await page.getByLabel('Name', { exact: true }).fill('eve')
  await press('Continue')
  await press('I wrote them down')
  for (const [index, word] of asked.entries()) await expect(fields.nth(index)).toHaveValue(word)

  // The server goes away at the very last step; the same button works when it is back.
  stage.proxy.setTarget(null)
  await press('Create account')
  await expect(problem('The server can’t be reached.')).toBeVisible()
  stage.proxy.setTarget(stage.node.url)
  await press('Create account')
  await expect(workspace(page)).toBeVisible()
})

test('looking for somebody without a connection says so, and works when it is back', async () => {
  const { page } = eve
  stage.proxy.setTarget(null)
  await page.getByRole('button', { name: 'New conversation' }).first().click()
  const dialog = page.getByRole('dialog', { name: 'New conversation' })
  const field = dialog.getByLabel('Who do you want to talk to?')
  await field.fill('bo')
  await dialog.getByRole('button', { name: 'Find' }).click()
  await expect(dialog.getByRole('alert')).toContainText('The server can’t be reached.')
  await expect(field).toHaveValue('bo')
  stage.proxy.setTarget(stage.node.url)
  await dialog.getByRole('button', { name: 'Find' }).click()
  await expect(dialog.getByRole('group', { name: 'Bo' })).toBeVisible()
  await page.keyboard.press('Escape')
  await page.keyboard.press('Control+,')
  await press('Sign out')
  await page
    .getByRole('group', { name: 'Sign out of this computer?' })
    .getByRole('button', { name: 'Sign out' })
    .click()
  await expect(page.getByRole('button', { name: 'I already have an account' })).toBeVisible()
})

test('a wrong password and a name nobody has are answered alike, and both fields stay', async () => {
  const { page } = eve
  await press('I already have an account')
  await page.getByLabel(/^Server/).fill(stage.address)
  for (const name of ['ada', 'nobody.here']) {
    await page.getByLabel('Your name or address').fill(name)
    await page.getByLabel('Password', { exact: true }).fill('not the password')
    await press('Sign in')
    await expect(page.getByRole('alert')).toHaveText('Name or password is wrong.')
    await expect(page.getByLabel('Your name or address')).toHaveValue(name)
    await expect(page.getByLabel('Password', { exact: true })).toHaveValue('not the password')
  }
})

// The last one: from here on it is a day later for the server.
test('a sign-in that ran out is told, keeps everything in sight, and the password brings it back', async () => {
  const { page } = ada
  await composer(page).fill('Half a sentence')
  process.kill(stage.node.pid, 'SIGUSR2')
  // A question that waits for news was let in before.
  stage.proxy.setTarget(null)
  stage.proxy.setTarget(stage.node.url)
  await expect(notices(page)).toContainText('You were signed out because this sign-in ran out.')
  await sees(page, 'Through thick honey')
  await expect(composer(page)).toHaveValue('Half a sentence')
  await notices(page).getByRole('button', { name: 'Sign in again' }).click()
  await expect(page.getByLabel('Your name or address')).toHaveValue('@ada:garden.example')
  await page.getByLabel('Password', { exact: true }).fill('not the password')
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await expect(page.getByRole('alert')).toHaveText('Name or password is wrong.')
  await page.getByLabel('Password', { exact: true }).fill(ada.password)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  // The same device: nobody has to let it in, and what was begun is still there.
  await expect(composer(page)).toHaveValue('Half a sentence')
  await composer(page).press('Enter')
  await expect(
    messageWith(page, 'Half a sentence').getByRole('img', { name: /^Sent\./ }),
  ).toBeVisible()
  await expect(notices(page)).not.toContainText('signed out')
})

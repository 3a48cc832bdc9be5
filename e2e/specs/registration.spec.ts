/** A server that takes accounts only with a code from those who run it. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { startNodeProcess, type NodeProcess } from '../driver/node-process.ts'
import { answerWords, workspace } from '../driver/person.ts'
import { Stage, type Person } from '../driver/stage.ts'
import { expect, test } from '../driver/test.ts'

const serverName = 'club.example'
const nodeProgram = join(import.meta.dirname, '..', '..', 'src-homeserver', 'main.ts')

let stage: Stage
let ada: Person
let node: NodeProcess
let code: string

test.beforeAll(async () => {
  stage = Stage.empty()
  const dataDir = join(stage.home, 'club')
  // What the people who run the server do to let one person in.
  const arguments_ = ['registration-token', '--server-name', serverName, '--data', dataDir]
  const printed = execFileSync(process.execPath, [nodeProgram, ...arguments_], { encoding: 'utf8' })
  code = /[\w-]{20,}/.exec(printed)?.[0] ?? ''
  const args = ['--registration', 'token']
  ;[node, ada] = await Promise.all([
    startNodeProcess({ dataDir, serverName, args }),
    stage.desktop('ada', 'Ada'),
  ])
})
test.afterAll(async () => {
  await node.kill()
  await stage.end()
})

test('the code is asked for, a wrong one is named, and with the right one the account is made', async () => {
  const { page } = ada
  await page.getByRole('button', { name: 'Create an account' }).click()
  await page.getByRole('radio', { name: /On another server/ }).check()
  await expect(page.getByLabel('Registration code')).toHaveCount(0)
  await page.getByLabel('Server address').fill(node.url)
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByLabel('Registration code').fill('not the code')
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByLabel('Name', { exact: true }).fill('ada')
  await page.getByLabel('Password', { exact: true }).fill(ada.password)
  await page.getByRole('button', { name: 'Continue' }).click()
  const listed = page.getByRole('list', { name: 'Recovery words' }).getByRole('listitem')
  await expect(listed).toHaveCount(24)
  const words = await listed.allInnerTexts()
  await page.getByRole('button', { name: 'I wrote them down' }).click()
  await answerWords(page, words)
  await page.getByRole('button', { name: 'Create account' }).click()
  await expect(page.getByRole('alert')).toContainText('The server did not accept this code.')

  // Nothing has to be typed twice.
  await page.getByLabel('Registration code').fill(code)
  await page.getByRole('button', { name: 'Continue' }).click()
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue('ada')
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByRole('button', { name: 'I wrote them down' }).click()
  await page.getByRole('button', { name: 'Create account' }).click()
  await expect(workspace(page)).toBeVisible({ timeout: 30_000 })
})

/** When what is stored here can't be used as usual: the app says why, and never begins anew by itself. */
import { join } from 'node:path'
import {
  composer,
  messageWith,
  notices,
  openRoom,
  roomRow,
  say,
  sees,
  unlock,
  workspace,
} from '../driver/person.ts'
import { acquaint, Stage, type Person } from '../driver/stage.ts'
import { expect, test } from '../driver/test.ts'
import { copyVault, damageRecords, fillDisk, putVaultBack, recordHeads } from '../driver/vault.ts'

// One story: each step begins where the one before ended.
test.describe.configure({ mode: 'serial' })

let stage: Stage
let ada: Person
let bo: Person

test.beforeAll(async () => {
  stage = await Stage.withNode()
  ;[ada, bo] = await Promise.all([stage.newcomer('ada', 'Ada'), stage.newcomer('bo', 'Bo')])
  await acquaint(ada, bo)
  await say(ada.page, 'Before the copy')
  await sees(bo.page, 'Before the copy')
})
test.afterAll(() => stage.end())

const older = (): string => join(stage.home, 'older')
const explained = () =>
  ada.page.getByRole('heading', { name: 'Your messages can’t be opened as usual' })

/** Through the passphrase to a vault that can't be opened as usual; nothing of it is shown. */
async function reopenWithProblem(why: string): Promise<void> {
  await stage.open(ada)
  await unlock(ada.page)
  await expect(explained()).toBeVisible()
  await expect(ada.page.getByText(why)).toBeVisible()
  await expect(ada.page.getByText('Nothing was deleted or overwritten.')).toBeVisible()
  // Looking again changes nothing, and nothing begins by itself.
  await ada.page.getByRole('button', { name: 'Check again' }).click()
  await expect(ada.page.getByText(why)).toBeVisible()
  await expect(workspace(ada.page)).toHaveCount(0)
}

async function goOnWithNewConnections(): Promise<void> {
  await ada.page.getByRole('button', { name: 'Continue with new secure connections' }).click()
  await expect(workspace(ada.page)).toBeVisible()
}

async function bothTalk(ask: string, answer: string): Promise<void> {
  await say(bo.page, ask)
  await sees(ada.page, ask)
  await say(ada.page, answer)
  await sees(bo.page, answer)
}

test('a full disk: what was written comes back into its field, and goes out when there is room', async () => {
  const { page } = ada
  await fillDisk(ada.app, true)
  await say(page, 'No room for this')
  const told = page.getByRole('alertdialog', { name: 'The disk is full' })
  await expect(told).toContainText('Free some space; it goes on by itself.')
  await told.getByRole('button', { name: 'Understood' }).click()
  await expect(composer(page)).toHaveValue('No room for this')
  await say(bo.page, 'Sent to a full disk')
  await fillDisk(ada.app, false)
  await sees(page, 'Sent to a full disk')
  await composer(page).press('Enter')
  await sees(bo.page, 'No room for this')
  await expect(messageWith(bo.page, 'No room for this')).toHaveCount(1)
})

test('a wrong passphrase opens nothing, and the right one still does', async () => {
  const { page: before } = ada
  await expect(
    messageWith(before, 'No room for this').getByRole('img', { name: /^(Delivered to|Read by)/ }),
  ).toBeVisible()
  await ada.quit()
  copyVault(stage.profileFolder('ada'), older())
  const page = await stage.open(ada)
  await unlock(page, 'heron reed lantern orbis')
  await expect(page.getByRole('alert')).toHaveText('This is not the passphrase.')
  await expect(workspace(page)).toHaveCount(0)
  await unlock(page)
  await openRoom(page, 'Bo')
  await sees(page, 'Before the copy')
  await bothTalk('Are you back?', 'Written after the copy')
})

test('an older state put back is noticed; new connections carry both on', async () => {
  await ada.quit()
  putVaultBack(stage.profileFolder('ada'), older())
  await reopenWithProblem('What is stored here is older than what this app saved last')
  await goOnWithNewConnections()
  await openRoom(ada.page, 'Bo')
  await sees(ada.page, 'Before the copy')
  await expect(notices(ada.page)).toContainText('An older state was restored')
  await bothTalk('Do you hear me?', 'Loud and clear')
  // Fetched once more, and its key asked for once more.
  await sees(ada.page, 'Are you back?')
})

test('a damaged record that keeps the connections is told; new ones carry both on', async () => {
  const changedBy = async (work: () => Promise<void>): Promise<string[]> => {
    const before = await recordHeads(ada.app)
    await work()
    let keys: string[] = []
    await expect
      .poll(async () => {
        const after = await recordHeads(ada.app)
        keys = Object.keys(after).filter((key) => after[key] !== before[key])
        return keys.length
      })
      .toBeGreaterThanOrEqual(2)
    return keys
  }
  // Only the draft and the record that names every connection's newest state: what else is written
  // now and then, as the place in the sync, does not come twice in a row.
  let keys: string[] = []
  await expect
    .poll(async () => {
      const before = keys
      keys = await changedBy(() => composer(ada.page).fill(`A draft, ${String(Date.now())}`))
      return keys.length === 2 && keys.every((key) => before.includes(key))
    })
    .toBe(true)
  expect(await damageRecords(ada.app, keys)).toBe(2)
  await ada.quit()
  await reopenWithProblem('A part of what is stored on this computer is damaged.')
  await goOnWithNewConnections()
  // Whether it is told before this or because of it: it may lie above the list already.
  await roomRow(ada.page, 'Bo').getByRole('button').dispatchEvent('click')
  const told = ada.page.getByRole('alertdialog', { name: 'Some stored messages are damaged' })
  // The draft is found out only when the conversation reads it.
  await expect(told).toContainText(/(1 record|2 records) on this computer could not be read\./)
  await told.getByRole('button', { name: 'Understood' }).click()
  await sees(ada.page, 'Before the copy')
  await expect(notices(ada.page)).not.toContainText('An older state was restored')
  await bothTalk('And now?', 'Here I am again')
})

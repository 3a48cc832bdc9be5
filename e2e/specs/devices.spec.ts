/** One person with two devices: letting a new one in, using both, taking one away. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Locator } from '@playwright/test'
import {
  composer,
  delivered,
  messageWith,
  messages,
  openRoom,
  say,
  sees,
  signIn,
  workspace,
} from '../driver/person.ts'
import { acquaint, Stage, type Person } from '../driver/stage.ts'
import { expect, test } from '../driver/test.ts'

// One story: each step begins where the one before ended.
test.describe.configure({ mode: 'serial' })

let stage: Stage
let laptop: Person
let desk: Person
let bo: Person

test.beforeAll(async () => {
  stage = await Stage.withNode()
  ;[laptop, bo, desk] = await Promise.all([
    stage.newcomer('ada', 'Ada'),
    stage.newcomer('bo', 'Bo'),
    stage.desktop('ada', 'Ada', 'ada-desk'),
  ])
  await acquaint(laptop, bo)
  await say(bo.page, 'Before the new device')
  await sees(laptop.page, 'Before the new device')
})
test.afterAll(() => stage.end())

const signInOnDesk = (): Promise<void> =>
  signIn(desk.page, { name: 'ada', password: desk.password, server: stage.address })
const question = (): Locator =>
  laptop.page.getByRole('alertdialog', { name: 'A new device wants to join your account' })
const code = (within: Locator): Locator =>
  within.getByRole('group', { name: 'Code on this computer' }).getByText(/^\d[\d\s]+\d$/)

test('signing in with the password is not enough: the device waits', async () => {
  await signInOnDesk()
  await expect(desk.page.getByRole('heading', { name: 'Approve this computer' })).toBeVisible()
  await say(bo.page, 'While it waits')
  await sees(laptop.page, 'While it waits')
  await expect(workspace(desk.page)).toHaveCount(0)
  await expect(desk.page.getByText('While it waits')).toHaveCount(0)
})

test('both show the same short code', async () => {
  const onDesk = code(desk.page.getByRole('main'))
  await expect(onDesk).toBeVisible()
  await expect(code(question())).toHaveText(await onDesk.innerText())
})

test('answering “no” turns it away', async () => {
  await question().getByRole('button', { name: 'No, or it isn’t mine' }).click()
  await expect(desk.page.getByRole('alert')).toHaveText(
    'Your other device said no. Nothing was shared with this computer.',
  )
  await expect(question()).toBeHidden()
  await desk.page.getByRole('button', { name: 'Sign out here' }).click()
  await expect(desk.page.getByRole('button', { name: 'I already have an account' })).toBeVisible()
})

test('answering “yes” lets it in', async () => {
  await signInOnDesk()
  const onDesk = code(desk.page.getByRole('main'))
  await expect(onDesk).toBeVisible()
  await expect(code(question())).toHaveText(await onDesk.innerText())
  await question().getByRole('button', { name: 'Yes, it is the same' }).click()
  await expect(workspace(desk.page)).toBeVisible()
  await openRoom(desk.page, 'Bo')
})

test('both devices receive', async () => {
  await say(bo.page, 'For both of your devices')
  await sees(laptop.page, 'For both of your devices')
  await sees(desk.page, 'For both of your devices')
})

test('once let in, it is given what was written earlier by the device that approved it', async () => {
  await sees(desk.page, 'Before the new device')
  await sees(desk.page, 'While it waits')
})

test('what one device sends shows on the other, as one’s own', async () => {
  await say(desk.page, 'Sent from my desk')
  await sees(laptop.page, 'Sent from my desk')
  await sees(bo.page, 'Sent from my desk')
  await expect(delivered(messageWith(desk.page, 'Sent from my desk'), 'Bo')).toBeVisible()
  await expect(
    messages(laptop.page)
      .getByRole('listitem', { name: /^You, / })
      .last(),
  ).toContainText('Sent from my desk')
  await say(laptop.page, 'Sent from my laptop')
  await sees(desk.page, 'Sent from my laptop')
})

test('the contact is told about the new device', async () => {
  await expect(messages(bo.page).getByText(/^Ada uses a new device/)).toBeVisible()
  await bo.page.getByRole('main').getByText('Ada uses a new device.').waitFor()
  const details = bo.page.getByRole('complementary', { name: 'Details' })
  await details.getByRole('button', { name: /^Ada Devices changed/ }).click()
  await expect(
    details.getByRole('list', { name: 'Devices of Ada' }).getByRole('listitem'),
  ).toHaveCount(2)
  await details.getByRole('button', { name: 'I’ve looked' }).click()
  await expect(details.getByText('Devices changed')).toHaveCount(0)
})

test('a removed device is signed out at once and keeps nothing', async () => {
  const { page } = laptop
  await page.keyboard.press('Control+,')
  const settings = page.getByRole('dialog', { name: 'Settings' })
  await settings.getByRole('tab', { name: 'Devices' }).click()
  const list = settings.getByRole('list', { name: 'Devices' })
  await expect(list.getByRole('listitem')).toHaveCount(2)
  await list.getByRole('button', { name: /^Remove/ }).click()
  await list.getByRole('group').getByRole('button', { name: 'Remove' }).click()
  await expect(list.getByRole('listitem')).toHaveCount(1)
  await page.keyboard.press('Escape')

  await expect(
    desk.page.getByText('This computer was removed from your account on another device.'),
  ).toBeVisible()
  const vaults = join(stage.profileFolder('ada-desk'), 'vaults')
  await expect.poll(() => (existsSync(vaults) ? readdirSync(vaults) : [])).toEqual([])
  await say(bo.page, 'Only for the laptop')
  await sees(laptop.page, 'Only for the laptop')
  await expect(desk.page.getByText('Only for the laptop')).toHaveCount(0)
  await stage.restart(desk)
  await expect(desk.page.getByRole('button', { name: 'I already have an account' })).toBeVisible()
  await expect(desk.page.getByText('For both of your devices')).toHaveCount(0)
})

test('the contact is told that it is gone, and the other device goes on', async () => {
  await expect(messages(bo.page).getByText(/^Ada no longer uses/)).toBeVisible()
  await composer(laptop.page).fill('Still me')
  await composer(laptop.page).press('Enter')
  await sees(bo.page, 'Still me')
})

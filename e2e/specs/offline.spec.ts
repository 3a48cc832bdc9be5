/** Without a connection: what is shown, what is kept, and that everything arrives afterwards, once. */
import {
  accept,
  composer,
  delivered,
  messageWith,
  messages,
  notices,
  openRoom,
  roomRow,
  saidInOrder,
  say,
  sees,
} from '../driver/person.ts'
import { acquaint, Stage, type Person } from '../driver/stage.ts'
import { expect, test } from '../driver/test.ts'

// One story: each step begins where the one before ended.
test.describe.configure({ mode: 'serial' })

let stage: Stage
/** Reaches the server through the proxy; the others do so directly. */
let ada: Person
let bo: Person
let cy: Person

test.beforeAll(async () => {
  stage = await Stage.withProxy()
  ;[ada, bo, cy] = await Promise.all([
    stage.newcomer('ada', 'Ada'),
    stage.newcomer('bo', 'Bo', stage.node.url),
    stage.newcomer('cy', 'Cy', stage.node.url),
  ])
  await acquaint(ada, bo)
  await say(ada.page, 'Before the tunnel')
  await sees(bo.page, 'Before the tunnel')
})
test.afterAll(() => stage.end())

const cutOff = (): void => stage.proxy.setTarget(null)
const reconnect = (): void => stage.proxy.setTarget(stage.node.url)
const banner = (person: Person) =>
  notices(person.page).getByText('No connection to garden.example.')

test('a lost connection is told, and what one writes waits', async () => {
  cutOff()
  await expect(banner(ada)).toBeVisible()
  await expect(ada.page.getByRole('button', { name: /^Your account: Ada/ })).toContainText(
    'No connection',
  )
  await say(ada.page, 'From the tunnel, one')
  await say(ada.page, 'From the tunnel, two')
  for (const text of ['From the tunnel, one', 'From the tunnel, two']) {
    await expect(
      messageWith(ada.page, text).getByRole('img', { name: /^(Waiting to be sent|Sending…)$/ }),
    ).toBeVisible()
  }
  await expect(notices(ada.page)).toContainText('2 messages wait and will be sent by themselves.')
  await composer(ada.page).fill('Half a sentence')
  // The other one goes on talking meanwhile, and knows nothing of it.
  for (const text of ['While you were away, one', 'While you were away, two'])
    await say(bo.page, text)
  await expect(
    messageWith(bo.page, 'While you were away, two').getByRole('img', { name: /^Sent\./ }),
  ).toBeVisible()
  await expect(messages(bo.page).getByText(/^From the tunnel/)).toHaveCount(0)
})

const talk = [
  'Before the tunnel',
  'While you were away, one',
  'While you were away, two',
  'From the tunnel, one',
  'From the tunnel, two',
]

test('“Try now” catches up with both sides, in one order, with nothing doubled', async () => {
  reconnect()
  // It may have come back by itself a moment before.
  await notices(ada.page)
    .getByRole('button', { name: 'Try now' })
    .click({ timeout: 2_000 })
    .catch(() => undefined)
  await expect(banner(ada)).toBeHidden()
  for (const text of talk.slice(3)) {
    await sees(bo.page, text)
    await expect(delivered(messageWith(ada.page, text), 'Bo')).toBeVisible()
  }
  for (const { page } of [ada, bo]) await expect.poll(() => saidInOrder(page, talk)).toEqual(talk)
  await expect(composer(ada.page)).toHaveValue('Half a sentence')
})

test('an app started without a connection shows what it has, and sends later what waited', async () => {
  cutOff()
  await say(ada.page, 'Written before the restart')
  await composer(ada.page).fill('Begun before the restart')
  await stage.restart(ada)
  await openRoom(ada.page, 'Bo')
  await expect(banner(ada)).toBeVisible()
  await sees(ada.page, 'Before the tunnel')
  await expect(
    messageWith(ada.page, 'Written before the restart').getByRole('img', {
      name: /^(Waiting to be sent|Sending…)$/,
    }),
  ).toBeVisible()
  await expect(composer(ada.page)).toHaveValue('Begun before the restart')
  await say(ada.page, 'Written after the restart')
  reconnect()
  const later = [...talk, 'Written before the restart', 'Written after the restart']
  await sees(bo.page, 'Written after the restart')
  for (const { page } of [ada, bo]) await expect.poll(() => saidInOrder(page, later)).toEqual(later)
  await expect(banner(ada)).toBeHidden()
})

test('what was begun in each conversation outlives a restart', async () => {
  const { page } = ada
  await page.getByRole('button', { name: 'New conversation' }).first().click()
  await page.getByRole('button', { name: 'Create a group instead' }).click()
  const dialog = page.getByRole('dialog', { name: 'New group' })
  await dialog.getByLabel('Group name').fill('Lake house')
  for (const name of ['bo', 'cy']) {
    await dialog.getByRole('textbox', { name: 'People' }).fill(name)
    await dialog.getByRole('textbox', { name: 'People' }).press('Enter')
  }
  await dialog.getByRole('button', { name: 'Create group' }).click()
  for (const { page: other } of [bo, cy]) {
    await accept(other, 'Lake house')
    await openRoom(other, 'Lake house')
  }
  await openRoom(page, 'Lake house')
  await composer(page).fill('For the house')
  await openRoom(page, 'Bo')
  await composer(page).fill('For Bo')
  await stage.restart(ada)
  await expect(roomRow(ada.page, 'Lake house')).toContainText('Draft')
  await openRoom(ada.page, 'Bo')
  await expect(composer(ada.page)).toHaveValue('For Bo')
  await openRoom(ada.page, 'Lake house')
  await expect(composer(ada.page)).toHaveValue('For the house')
})

test('who was away gets everything on coming back, while the others were not kept waiting', async () => {
  const said = ['First without Cy', 'Second without Cy', 'Third without Cy']
  await cy.quit()
  for (const [index, text] of said.entries()) {
    const speaker = index === 1 ? bo : ada
    const listener = index === 1 ? ada : bo
    await say(speaker.page, text)
    await sees(listener.page, text)
  }
  await expect(delivered(messageWith(ada.page, 'Third without Cy'), 'Bo')).toBeVisible()
  await stage.reopen(cy)
  await expect(roomRow(cy.page, 'Lake house')).toContainText('3 unread messages')
  await openRoom(cy.page, 'Lake house')
  await expect.poll(() => saidInOrder(cy.page, said)).toEqual(said)
  await expect(delivered(messageWith(ada.page, 'Third without Cy'), 'Bo and Cy')).toBeVisible()
  await say(cy.page, 'Caught up')
  for (const { page } of [ada, bo]) await sees(page, 'Caught up')
})

test('the server is killed and comes back: everybody recovers alone, and nothing is lost', async () => {
  await stage.node.kill('SIGKILL')
  for (const person of [ada, bo, cy]) await expect(banner(person)).toBeVisible()
  const said = ['Said to a dead server by Ada', 'Said to a dead server by Bo']
  await say(ada.page, said[0] ?? '')
  await say(bo.page, said[1] ?? '')
  await stage.startNode()
  for (const { page } of [ada, bo, cy]) {
    for (const text of said) await sees(page, text)
    expect([...(await saidInOrder(page, said))].sort()).toEqual(said)
  }
  for (const person of [ada, bo, cy]) await expect(banner(person)).toBeHidden()
})

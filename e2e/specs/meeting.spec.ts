/** How people find each other, alone and as a group. */
import { askedOf, watchDesktop } from '../driver/desktop.ts'
import {
  accept,
  composer,
  messages,
  named,
  openRoom,
  roomRow,
  say,
  sees,
  startDirect,
} from '../driver/person.ts'
import { Stage, type Person } from '../driver/stage.ts'
import { expect, test } from '../driver/test.ts'

let stage: Stage
let ada: Person
let bo: Person
let cy: Person

test.beforeAll(async () => {
  stage = await Stage.withNode()
  ;[ada, bo, cy] = await Promise.all([
    stage.newcomer('ada', 'Ada'),
    stage.newcomer('bo', 'Bo'),
    stage.newcomer('cy', 'سيرين'),
  ])
})
test.afterAll(() => stage.end())

async function copyLink(person: Person): Promise<string> {
  await watchDesktop(person.app)
  await person.page.keyboard.press('Control+k')
  await person.page.getByRole('combobox').fill('Copy my invitation')
  await person.page.keyboard.press('Enter')
  await expect.poll(async () => (await askedOf(person.app)).copied).toHaveLength(1)
  return (await askedOf(person.app)).copied[0] ?? ''
}

test('an empty workspace says how to begin', async () => {
  await expect(cy.page.getByRole('heading', { name: 'Say hello to someone' })).toBeVisible()
  await expect(cy.page.getByText('It’s quiet here')).toBeVisible()
})

test('by name: the invited person sees who it is, accepts, and both can write', async () => {
  await startDirect(ada.page, 'bo')
  await expect(composer(ada.page)).toBeVisible()
  const invitations = bo.page.getByRole('region', { name: 'Invitations' })
  await invitations.getByText('Ada', { exact: true }).click()
  await expect(bo.page.getByRole('heading', { name: 'Ada wants to talk to you' })).toBeVisible()
  await expect(bo.page.getByText('@ada:garden.example')).toBeVisible()
  await bo.page.getByRole('main').getByRole('button', { name: 'Accept' }).click()
  await say(bo.page, 'Here I am')
  await sees(ada.page, 'Here I am')
  await say(ada.page, 'Good to see you')
  await sees(bo.page, 'Good to see you')
})

test('nobody is found under a name that does not exist, and what was typed stays', async () => {
  await ada.page.getByRole('button', { name: 'New conversation' }).first().click()
  const dialog = ada.page.getByRole('dialog', { name: 'New conversation' })
  const field = dialog.getByLabel('Who do you want to talk to?')
  await field.fill('nobody.here')
  await dialog.getByRole('button', { name: 'Find' }).click()
  await expect(dialog.getByRole('alert')).toHaveText(
    'Nobody with this name was found. Check the spelling.',
  )
  await expect(field).toHaveValue('nobody.here')
  await ada.page.keyboard.press('Escape')
  await expect(dialog).toBeHidden()
})

test('by invitation link, which the other copied', async () => {
  const link = await copyLink(cy)
  await startDirect(bo.page, link)
  await accept(cy.page, 'Bo')
  await say(cy.page, 'مرحبا، وصل الرابط')
  await openRoom(bo.page, 'سيرين')
  await sees(bo.page, 'مرحبا، وصل الرابط')
})

test('a link that names somebody else’s account is not believed', async () => {
  const link = await copyLink(cy)
  // The same name with another identity behind it.
  const forged = link.replace(/=(.)/, (_, first: string) => (first === 'A' ? '=B' : '=A'))
  await ada.page.getByRole('button', { name: 'New conversation' }).first().click()
  const dialog = ada.page.getByRole('dialog', { name: 'New conversation' })
  await dialog.getByLabel('Who do you want to talk to?').fill(forged)
  await dialog.getByRole('button', { name: 'Find' }).click()
  await expect(dialog.getByRole('alert')).toContainText('This link belongs to another account')
  await expect(dialog.getByRole('button', { name: 'Start conversation' })).toHaveCount(0)
  await ada.page.keyboard.press('Escape')
})

test('declining ends it: the invitation is gone, and the other sees why nobody answers', async () => {
  await startDirect(cy.page, 'ada')
  await ada.page.getByRole('button', { name: named('Decline invitation from ', 'سيرين') }).click()
  await expect(ada.page.getByRole('button', { name: /invitation from/ })).toHaveCount(0)
  await openRoom(cy.page, 'Ada')
  await expect(messages(cy.page).getByText('Ada declined the invitation')).toBeVisible()
})

test.describe('a group of three', () => {
  test.beforeAll(async () => {
    const { page } = ada
    await page.getByRole('button', { name: 'New conversation' }).first().click()
    await page.getByRole('button', { name: 'Create a group instead' }).click()
    const dialog = page.getByRole('dialog', { name: 'New group' })
    await dialog.getByLabel('Group name').fill('Reading circle')
    await dialog.getByLabel(/^What is it about/).fill('One book a month')
    const people = dialog.getByRole('textbox', { name: 'People' })
    await people.fill('bo')
    await people.press('Enter')
    await people.fill('@cy:garden.example')
    await dialog.getByRole('button', { name: 'Add' }).click()
    await expect(dialog.getByRole('list', { name: 'People' }).getByRole('listitem')).toHaveText([
      'bo',
      '@cy:garden.example',
    ])
    await dialog.getByRole('button', { name: 'Create group' }).click()
    await expect(dialog).toBeHidden()
    for (const { page: other } of [bo, cy]) {
      await accept(other, 'Reading circle')
      await openRoom(other, 'Reading circle')
    }
  })

  test.beforeEach(async () => {
    for (const { page } of [ada, bo, cy]) {
      await page
        .getByRole('list', { name: 'Conversations' })
        .getByText(/circle/)
        .first()
        .click()
      await expect(composer(page)).toBeVisible()
    }
  })

  test('everyone reads everyone', async () => {
    for (const { page, name } of [ada, bo, cy]) await say(page, `${name} is here`)
    for (const { page } of [ada, bo, cy])
      for (const { name } of [ada, bo, cy]) await sees(page, `${name} is here`)
    await expect(roomRow(cy.page, 'Reading circle')).toContainText('is here')
  })

  test('the details name each member’s homeserver and devices, and claim no check nobody made', async () => {
    const details = bo.page.getByRole('complementary', { name: 'Details' })
    await expect(details.getByRole('heading', { name: '3 people' })).toBeVisible()
    await details.getByRole('button', { name: /^Ada/ }).click()
    await expect(details.getByText('Server: garden.example')).toBeVisible()
    const devices = details.getByRole('list', { name: 'Devices of Ada' })
    await expect(devices.getByRole('listitem')).toHaveCount(1)
    await expect(devices).toContainText('On their device list')
    await expect(devices).toContainText('Security code')
    await expect(details).toContainText('Lives on one server')
    await expect(details).toContainText(
      'New members can read only what is written after they joined.',
    )
  })

  test('a new name appears for all, with who gave it', async () => {
    await ada.page.getByRole('button', { name: 'Rename' }).click()
    const dialog = ada.page.getByRole('dialog', { name: 'Rename conversation' })
    await dialog.getByLabel('New name').fill('Night circle 🌙')
    await dialog.getByRole('button', { name: 'Save' }).click()
    for (const { page } of [ada, bo, cy]) {
      await expect(roomRow(page, 'Night circle 🌙')).toBeVisible()
      await expect(page.getByRole('heading', { name: 'Night circle 🌙', level: 1 })).toBeVisible()
      await expect(
        messages(page).getByText('Ada named this conversation “Night circle 🌙”'),
      ).toBeVisible()
    }
  })

  test('only who may rename is offered to', async () => {
    await expect(bo.page.getByRole('button', { name: 'Rename' })).toHaveCount(0)
  })

  test('who is removed reads nothing more, and the others see it', async () => {
    const details = ada.page.getByRole('complementary', { name: 'Details' })
    await details.getByRole('button', { name: /^سيرين/ }).click()
    await details.getByRole('button', { name: /^Remove/ }).click()
    await ada.page.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click()
    await expect(messages(bo.page).getByText(/Ada removed/)).toBeVisible()
    await say(ada.page, 'Only for two now')
    await sees(bo.page, 'Only for two now')
    await expect(composer(cy.page)).toHaveCount(0)
    await expect(cy.page.getByText('Only for two now')).toHaveCount(0)
    await expect(cy.page.getByText(/^Ada removed you from Night circle/)).toBeVisible()
    await expect(roomRow(cy.page, 'Night circle 🌙')).toContainText('You were removed')
  })
})

test('the group opens its door: with the link one asks, and somebody inside lets one in', async () => {
  const details = ada.page.getByRole('complementary', { name: 'Details' })
  await details.getByRole('button', { name: 'Change', exact: true }).click()
  const access = ada.page.getByRole('dialog', { name: 'Who can join' })
  await access.getByRole('radio', { name: /^By asking/ }).click()
  await access.getByRole('button', { name: 'Save' }).click()
  await watchDesktop(ada.app)
  await details.getByRole('button', { name: 'Copy link' }).click()
  await expect.poll(async () => (await askedOf(ada.app)).copied).toHaveLength(1)
  const link = (await askedOf(ada.app)).copied[0] ?? ''

  const { page } = cy
  await page.getByRole('button', { name: 'Remove from the list' }).click()
  await expect(roomRow(page, 'Night circle 🌙')).toHaveCount(0)
  await page.getByRole('button', { name: 'New conversation' }).first().click()
  const dialog = page.getByRole('dialog', { name: 'New conversation' })
  await dialog.getByLabel('Who do you want to talk to?').fill(link)
  await dialog.getByLabel('Who do you want to talk to?').press('Enter')
  await expect(dialog.getByRole('group', { name: 'Night circle 🌙' })).toBeVisible()
  await dialog.getByRole('button', { name: 'Ask to join' }).click()
  await expect(
    page.getByRole('heading', { name: 'You have asked to join Night circle 🌙' }),
  ).toBeVisible()
  await ada.page.getByRole('button', { name: /^Let .* in$/ }).click()
  await accept(page, 'Night circle 🌙')
  await say(page, 'Thank you for opening')
  await sees(ada.page, 'Thank you for opening')
})

test('who is banned is told by whom and why, and may come back once the ban is lifted', async () => {
  const details = ada.page.getByRole('complementary', { name: 'Details' })
  await details.getByRole('button', { name: /^سيرين/ }).click()
  await details.getByRole('button', { name: /^What .* may do$/ }).click()
  const roles = ada.page.getByRole('dialog', { name: /^What may .* do here/ })
  await roles.getByRole('radio', { name: /^Moderator/ }).click()
  await roles.getByRole('button', { name: 'Save' }).click()
  await expect(details.getByText(/^Moderator · @/)).toBeVisible()
  await details.getByRole('button', { name: /^Ban/ }).click()
  const question = ada.page.getByRole('alertdialog')
  await question.getByLabel(/^Reason/).fill('Spoilers')
  await question.getByRole('button', { name: 'Ban', exact: true }).click()
  await expect(
    cy.page.getByText(
      'Ada banned you from Night circle 🌙. You can’t come back until the ban is lifted. The reason given: “Spoilers”',
    ),
  ).toBeVisible()
  const banned = details.getByRole('region', { name: 'Banned' })
  await banned.getByRole('button', { name: /^Allow/ }).click()
  await expect(banned).toHaveCount(0)
  await expect(cy.page.getByText(/^Ada lifted your ban/)).toBeVisible()
})

/** Two people in a conversation: what each writes, changes and sees of the other. */
import { askedOf, clickNotification, watchDesktop } from '../driver/desktop.ts'
import {
  composer,
  delivered,
  messageWith,
  messages,
  openRoom,
  roomRow,
  say,
  sees,
} from '../driver/person.ts'
import { acquaint, Stage, type Person } from '../driver/stage.ts'
import { expect, test } from '../driver/test.ts'

let stage: Stage
let ada: Person
let bo: Person

test.beforeAll(async () => {
  stage = await Stage.withNode()
  ;[ada, bo] = await Promise.all([
    stage.newcomer('ada', 'Ada Lovelace'),
    stage.newcomer('bo', 'Bo 鷺'),
  ])
  await acquaint(ada, bo)
})
test.afterAll(() => stage.end())

test.beforeEach(async () => {
  await openRoom(ada.page, 'Bo 鷺')
  await openRoom(bo.page, 'Ada Lovelace')
})

test('what one writes the other reads, in any script', async () => {
  const text = 'Good morning 早上好 صباح الخير 🌅'
  await say(ada.page, text)
  await sees(bo.page, text)
  await say(bo.page, 'Right back to you')
  await sees(ada.page, 'Right back to you')
})

test('who writes is seen writing, until the message is there', async () => {
  await composer(bo.page).pressSequentially('Wai')
  await expect(ada.page.getByText('Bo 鷺 is writing…', { exact: true }).first()).toBeVisible()
  await say(bo.page, 'Wait, I have it')
  await sees(ada.page, 'Wait, I have it')
  await expect(ada.page.locator('.writing')).toHaveText('')
})

test('a message is marked delivered only when a device of the other has it', async () => {
  await bo.quit()
  await say(ada.page, 'Are you there?')
  const message = messageWith(ada.page, 'Are you there?')
  await expect(
    message.getByRole('img', { name: 'Sent. It has not reached them yet.' }),
  ).toBeVisible()
  await expect(delivered(message, 'Bo 鷺')).toBeHidden()
  await stage.reopen(bo)
  await expect(delivered(message, 'Bo 鷺')).toBeVisible()
})

test('every message says how it is protected, and its details say it in words', async () => {
  await say(ada.page, 'Between us')
  const message = messageWith(ada.page, 'Between us')
  await expect(message.getByRole('img', { name: /^Protected\. Only the people/ })).toBeVisible()
  await message.hover()
  await message.getByRole('button', { name: 'More actions' }).click()
  await ada.page.getByRole('menuitem', { name: 'Message details' }).click()
  const details = ada.page.getByRole('dialog', { name: 'Message details' })
  await expect(details).toContainText('@ada:garden.example')
  await expect(details).toContainText('Only the people in this conversation can read it')
  await details.getByRole('button', { name: 'Close' }).last().click()
})

test('Shift+Enter starts a new line, Enter sends', async () => {
  await composer(ada.page).pressSequentially('First line')
  await composer(ada.page).press('Shift+Enter')
  await composer(ada.page).pressSequentially('second line')
  await composer(ada.page).press('Enter')
  await expect(messageWith(bo.page, 'First line')).toContainText('First line\nsecond line')
})

test('an emoji is picked with the keyboard and sent', async () => {
  await ada.page.getByRole('button', { name: 'Insert emoji' }).click()
  await ada.page.getByRole('searchbox', { name: 'Search emoji' }).fill('paper lantern')
  await expect(ada.page.getByRole('button', { name: /paper lantern/ })).toBeVisible()
  await ada.page.keyboard.press('Enter')
  await expect(composer(ada.page)).toHaveValue('🏮')
  await composer(ada.page).press('Enter')
  await sees(bo.page, '🏮')
})

test('↑ in an empty field edits the last own message, for both', async () => {
  await say(ada.page, 'We meet at four')
  await sees(bo.page, 'We meet at four')
  await composer(ada.page).press('ArrowUp')
  await expect(composer(ada.page)).toHaveValue('We meet at four')
  await composer(ada.page).fill('We meet at five')
  await composer(ada.page).press('Enter')
  for (const { page } of [ada, bo]) {
    await sees(page, 'We meet at five')
    await expect(messageWith(page, 'We meet at five').getByText('edited')).toBeVisible()
    await expect(messages(page).getByText('We meet at four')).toHaveCount(0)
  }
  await expect(composer(ada.page)).toHaveValue('')
})

test('Escape leaves an edit and the text stays as it was', async () => {
  await say(ada.page, 'Keep me as I am')
  await sees(bo.page, 'Keep me as I am')
  await composer(ada.page).press('ArrowUp')
  await composer(ada.page).fill('Spoiled')
  await composer(ada.page).press('Escape')
  await expect(composer(ada.page)).toHaveValue('')
  await sees(ada.page, 'Keep me as I am')
})

test('a deleted message is gone for both, and says so', async () => {
  await say(ada.page, 'Forget this')
  await sees(bo.page, 'Forget this')
  const message = messageWith(ada.page, 'Forget this')
  await message.hover()
  await message.getByRole('button', { name: 'More actions' }).click()
  await ada.page.getByRole('menuitem', { name: 'Delete…' }).click()
  const question = ada.page.getByRole('alertdialog', { name: 'Delete this message?' })
  await expect(question).toContainText('Forget this')
  await question.getByRole('button', { name: 'Delete message' }).click()
  for (const { page } of [ada, bo]) {
    await expect(messages(page).getByText('Forget this')).toHaveCount(0)
    await expect(messages(page).getByText('This message was deleted').last()).toBeVisible()
  }
})

test('a reply quotes what it answers', async () => {
  await say(ada.page, 'Tea or coffee?')
  await sees(bo.page, 'Tea or coffee?')
  const question = messageWith(bo.page, 'Tea or coffee?')
  await question.hover()
  await question.getByRole('button', { name: 'Reply' }).click()
  await expect(bo.page.getByText('Replying to Ada Lovelace')).toBeVisible()
  await say(bo.page, 'Tea, please')
  for (const { page } of [ada, bo]) {
    const answer = messageWith(page, 'Tea, please')
    await expect(answer.getByRole('button', { name: /In reply to/ })).toContainText(
      'Tea or coffee?',
    )
  }
})

test('a reaction shows for both, and a second press takes it back', async () => {
  await say(ada.page, 'I passed the exam')
  await sees(bo.page, 'I passed the exam')
  const message = messageWith(bo.page, 'I passed the exam')
  await message.hover()
  await message.getByRole('button', { name: 'React' }).click()
  await bo.page.getByRole('button', { name: 'React with 👍' }).click()
  await expect(
    messageWith(ada.page, 'I passed the exam').getByRole('button', { name: '👍, 1 person: Bo 鷺' }),
  ).toBeVisible()
  await message.getByRole('button', { name: '👍, 1 person: You' }).click()
  for (const { page } of [ada, bo]) {
    await expect(
      messageWith(page, 'I passed the exam').getByRole('button', { name: /👍/ }),
    ).toHaveCount(0)
  }
})

test('a link opens outside, and only after asking', async () => {
  await say(ada.page, 'Look: https://example.org/path?q=1')
  const link = messageWith(bo.page, 'Look:').getByRole('link')
  await link.click()
  const question = bo.page.getByRole('alertdialog', { name: 'Open this link?' })
  await expect(question).toContainText('https://example.org/path?q=1')
  expect((await askedOf(bo.app)).opened).toEqual([])
  await question.press('Escape')
  await expect(question).toBeHidden()
  expect((await askedOf(bo.app)).opened).toEqual([])
  await link.click()
  await question.getByRole('button', { name: 'Open link' }).click()
  await expect
    .poll(async () => (await askedOf(bo.app)).opened)
    .toEqual(['https://example.org/path?q=1'])
  expect(bo.page.url()).not.toContain('example.org')
})

test('the text of a message can be copied', async () => {
  await say(ada.page, 'Take this with you')
  const message = messageWith(bo.page, 'Take this with you')
  await message.hover()
  await message.getByRole('button', { name: 'More actions' }).click()
  await bo.page.getByRole('menuitem', { name: 'Copy text' }).click()
  await expect.poll(async () => (await askedOf(bo.app)).copied.at(-1)).toBe('Take this with you')
})

test.describe('with a second conversation', () => {
  test.beforeAll(async () => {
    const { page } = ada
    await page.getByRole('button', { name: 'New conversation' }).first().click()
    await page.getByRole('button', { name: 'Create a group instead' }).click()
    const dialog = page.getByRole('dialog', { name: 'New group' })
    await dialog.getByLabel('Group name').fill('Lake house')
    await dialog.getByRole('textbox', { name: 'People' }).fill('bo')
    await dialog.getByRole('button', { name: 'Create group' }).click()
    await bo.page.getByRole('button', { name: 'Accept invitation from Lake house' }).click()
    await expect(composer(bo.page)).toBeVisible()
  })

  test('an unread message is counted, previewed and announced, until it is read', async () => {
    await openRoom(bo.page, 'Lake house')
    await say(ada.page, 'One')
    await say(ada.page, 'Two, see you at the lake')
    const row = roomRow(bo.page, 'Ada Lovelace')
    await expect(row).toContainText('2 unread messages')
    await expect(row).toContainText('Two, see you at the lake')
    const { notified } = await askedOf(bo.app)
    expect(notified.at(-1)).toEqual({ title: 'Ada Lovelace', body: 'Two, see you at the lake' })
    await clickNotification(bo.app)
    await sees(bo.page, 'Two, see you at the lake')
    await expect(row).not.toContainText('unread')
  })

  test('no notification comes for the conversation one is looking at', async () => {
    await watchDesktop(bo.app)
    await say(ada.page, 'You see this anyway')
    await sees(bo.page, 'You see this anyway')
    await openRoom(bo.page, 'Lake house')
    await say(ada.page, 'This one you do not')
    await expect
      .poll(async () => (await askedOf(bo.app)).notified.map(({ body }) => body))
      .toEqual(['This one you do not'])
  })

  test('what was begun in each conversation is still there on coming back', async () => {
    await composer(ada.page).fill('Half a thou')
    await openRoom(ada.page, 'Lake house')
    await expect(composer(ada.page)).toHaveValue('')
    await expect(roomRow(ada.page, 'Bo 鷺')).toContainText('Draft')
    await composer(ada.page).fill('Something else')
    await openRoom(ada.page, 'Bo 鷺')
    await expect(composer(ada.page)).toHaveValue('Half a thou')
    await composer(ada.page).fill('')
    await openRoom(ada.page, 'Lake house')
    await expect(composer(ada.page)).toHaveValue('Something else')
    await composer(ada.page).fill('')
  })

  test('going back and forth shows one conversation at a time', async () => {
    for (const name of ['Lake house', 'Bo 鷺', 'Lake house', 'Bo 鷺']) {
      await openRoom(ada.page, name)
      await expect(messages(ada.page)).toHaveCount(1)
      await expect(messages(ada.page)).toContainText(`This is the beginning of`)
    }
  })

  test('leaving can be taken back for a few seconds', async () => {
    const { page } = bo
    await openRoom(page, 'Lake house')
    await page.getByRole('button', { name: 'Leave conversation' }).click()
    const question = page.getByRole('alertdialog', { name: 'Leave Lake house?' })
    await question.getByRole('button', { name: 'Leave' }).click()
    const note = page.getByRole('region', { name: 'Notifications' })
    await expect(note).toContainText('You are leaving Lake house')
    await note.getByRole('button', { name: 'Undo' }).click()
    await say(page, 'I stay')
    await openRoom(ada.page, 'Lake house')
    await sees(ada.page, 'I stay')
  })

  test('who leaves is gone when the seconds are over', async () => {
    const { page } = bo
    await openRoom(page, 'Lake house')
    await page.getByRole('button', { name: 'Leave conversation' }).click()
    await page.getByRole('alertdialog').getByRole('button', { name: 'Leave' }).click()
    await expect(roomRow(page, 'Lake house')).toHaveCount(0)
    await openRoom(ada.page, 'Lake house')
    await expect(messages(ada.page).getByText('Bo 鷺 left')).toBeVisible()
  })
})

// The last one: from here on it is a day later for everybody.
test('messages stand under the day they were written', async () => {
  process.kill(stage.node.pid, 'SIGUSR2')
  for (const { app } of [ada, bo])
    await app.electron.evaluate(() => {
      const now = Date.now
      Date.now = () => now() + 86_400_000
    })
  await say(ada.page, 'A new day')
  await sees(bo.page, 'A new day')
  const long = new Intl.DateTimeFormat('en', { weekday: 'long', day: 'numeric', month: 'long' })
  const tomorrow = long.format(Date.now() + 86_400_000)
  for (const { page } of [ada, bo]) {
    await expect(messages(page).getByText(tomorrow, { exact: true })).toHaveCount(1)
    await expect(messageWith(page, 'A new day').getByRole('img', { name: /time/ })).toHaveCount(0)
    await messages(page).hover()
    await page.mouse.wheel(0, -100_000)
    await expect(messages(page).getByText('Today', { exact: true })).toHaveCount(1)
  }
})

test('a window that becomes narrower stays at the newest message', async () => {
  const { page } = ada
  const left = (): Promise<number> =>
    messages(page).evaluate(async (list) => {
      const scroller = list.parentElement ?? list
      // Rows are measured anew over several frames.
      for (let frame = 0; frame < 20; frame++)
        await new Promise((resolve) => requestAnimationFrame(resolve))
      return Math.abs(scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight)
    })
  await page.setViewportSize({ width: 1280, height: 800 })
  await say(page, 'So much to tell. '.repeat(120))
  await expect.poll(left).toBeLessThan(2)
  await page.setViewportSize({ width: 900, height: 600 })
  expect(await left()).toBeLessThan(2)
  await expect(messageWith(page, 'So much to tell.')).toBeInViewport()
})

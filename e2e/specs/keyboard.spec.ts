/** Everything without a mouse: from the first screen to a conversation, with the focus always in sight. */
import type { Locator, Page } from '@playwright/test'
import {
  composer,
  messageWith,
  messages,
  openRoom,
  passphrase,
  say,
  sees,
  workspace,
} from '../driver/person.ts'
import { Person, Stage } from '../driver/stage.ts'
import { expect, test } from '../driver/test.ts'

// One story: each step begins where the one before ended.
test.describe.configure({ mode: 'serial' })

let stage: Stage
let ada: Person
let bo: Person
let page: Page

test.beforeAll(async () => {
  stage = await Stage.withNode()
  ada = new Person('ada', 'Ada', 'ada')
  ;[page, bo] = await Promise.all([stage.open(ada), stage.newcomer('bo', 'Bo')])
})
test.afterAll(() => stage.end())

/** As a finger does: down for a moment. Groups of choices follow an arrow only while it is down. */
const press = (...keys: string[]): Promise<void> =>
  keys.reduce(
    (before, key) => before.then(() => page.keyboard.press(key, { delay: 60 })),
    Promise.resolve(),
  )
const write = (text: string): Promise<void> => page.keyboard.type(text)

/** Goes on with Tab until this has the focus, and sees that the focus shows. */
async function tabTo(target: Locator, key = 'Tab'): Promise<void> {
  for (let step = 0; step < 40; step++) {
    if (await target.evaluate((element) => element === document.activeElement)) {
      const shown = await target.evaluate((element) => {
        // A field may be framed by what is around it.
        for (
          let at: Element | null = element, depth = 0;
          at && depth < 3;
          at = at.parentElement, depth++
        ) {
          const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(at)
          if ((outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none')
            return true
        }
        return false
      })
      expect(shown, `the focus shows on ${String(target)}`).toBe(true)
      return
    }
    await page.keyboard.press(key)
  }
  throw new Error(`Tab never reached ${String(target)}`)
}

test('from the first screen to an empty workspace', async () => {
  await expect(page.getByLabel('Passphrase', { exact: true })).toBeFocused()
  await write(passphrase)
  await tabTo(page.getByLabel('Repeat the passphrase'))
  await write(passphrase)
  await press('Enter')

  await expect(page.getByRole('button', { name: 'Create an account' })).toBeFocused()
  await press('Enter')
  const personal = page.getByRole('radio', { name: /On this computer/ })
  await expect(personal).toBeVisible()
  await expect(page.getByRole('heading', { level: 1 })).toBeFocused()
  await tabTo(page.getByRole('radio', { checked: true }))
  await press('ArrowDown')
  await expect(page.getByRole('radio', { name: /On another server/ })).toBeChecked()
  await tabTo(page.getByLabel('Server address'))
  await write(stage.address)
  await press('Enter')

  await expect(page.getByLabel(/^Display name/)).toBeFocused()
  await write('Ada')
  await tabTo(page.getByLabel('Password', { exact: true }))
  await write(ada.password)
  await press('Enter')

  const listed = page.getByRole('list', { name: 'Recovery words' }).getByRole('listitem')
  await expect(listed).toHaveCount(24)
  const words = await listed.allInnerTexts()
  await expect(page.getByRole('button', { name: 'I wrote them down' })).toBeFocused()
  await press('Enter')
  const fields = page.getByLabel(/^Word \d+$/)
  await expect(fields.first()).toBeFocused()
  for (const field of await fields.all()) {
    await tabTo(field)
    const label = await field.evaluate(
      (element) => (element as HTMLInputElement).labels?.[0]?.textContent ?? '',
    )
    await write(words[Number(/\d+/.exec(label)?.[0]) - 1] ?? '')
  }
  await press('Enter')
  await expect(workspace(page)).toBeVisible()
})

test('finding somebody, and writing the first message', async () => {
  await press('Control+n')
  const dialog = page.getByRole('dialog', { name: 'New conversation' })
  await expect(dialog.getByLabel('Who do you want to talk to?')).toBeFocused()
  await write('bo')
  await press('Enter')
  await expect(dialog.getByRole('button', { name: 'Start conversation' })).toBeVisible()
  await press('Enter')
  await expect(dialog).toBeHidden()
  await expect(composer(page)).toBeFocused()
  await write('Typed before Bo came')
  await press('Enter')
  await bo.page
    .getByRole('button', { name: /^Accept invitation from/ })
    .first()
    .focus()
  await bo.page.keyboard.press('Enter')
  await sees(bo.page, 'Typed before Bo came')
})

test('Shift+Enter starts a line, and Enter inside an input method sends nothing', async () => {
  await write('One line')
  await press('Shift+Enter')
  await write('and another')
  await press('Enter')
  await expect(messageWith(bo.page, 'One line')).toContainText('One line\nand another')

  // What Chromium reports while somebody picks a word: the Enter belongs to the input method.
  const enter = (isComposing: boolean, keyCode: number): Promise<void> =>
    composer(page).dispatchEvent('keydown', {
      key: isComposing ? 'Enter' : 'Process',
      keyCode,
      isComposing,
      bubbles: true,
      cancelable: true,
    })
  await write('ni hao')
  await enter(true, 13)
  await enter(false, 229)
  await expect(composer(page)).toHaveValue('ni hao')
  await composer(page).fill('你好')
  await press('Enter')
  await sees(bo.page, '你好')
  await expect(messages(bo.page).getByText('ni hao')).toHaveCount(0)
})

test('↑ edits what was written last, Escape leaves that, and the message itself has its keys', async () => {
  await press('ArrowUp')
  await expect(composer(page)).toHaveValue('你好')
  await press('Escape')
  await expect(composer(page)).toHaveValue('')
  await expect(composer(page)).toBeFocused()
  await press('ArrowUp')
  await press('Control+a')
  await write('早上好')
  await press('Enter')
  await sees(bo.page, '早上好')

  const newest = messageWith(page, '早上好')
  await tabTo(newest, 'Shift+Tab')
  await press('ArrowUp')
  await expect(messageWith(page, 'One line')).toBeFocused()
  await press('ArrowDown')
  await expect(newest).toBeFocused()
  await press('Enter')
  await expect(page.getByRole('dialog', { name: 'Message details' })).toBeVisible()
  await press('Escape')
  await expect(newest).toBeFocused()
  await press('r')
  await expect(composer(page)).toBeFocused()
  await expect(page.getByText('Replying to Ada')).toBeVisible()
  await press('Escape')
  await expect(page.getByText('Replying to Ada')).toHaveCount(0)
})

test('Ctrl+K jumps by name, and gives the focus back when nothing was chosen', async () => {
  await say(bo.page, 'For the list')
  await press('Control+k')
  const palette = page.getByRole('combobox')
  await expect(palette).toBeFocused()
  await press('Escape')
  await expect(palette).toHaveCount(0)
  await expect(composer(page)).toBeFocused()

  await press('Control+Shift+n')
  const group = page.getByRole('dialog', { name: 'New group' })
  await expect(group.getByLabel('Group name')).toBeFocused()
  await write('Lake house')
  await tabTo(group.getByRole('button', { name: 'Create group' }))
  await press('Enter')
  await expect(page.getByRole('textbox', { name: 'Message to Lake house' })).toBeFocused()

  await press('Control+k')
  await write('bo')
  await press('Enter')
  await expect(page.getByRole('textbox', { name: 'Message to Bo' })).toBeFocused()
  await press('Alt+ArrowDown')
  await expect(page.getByRole('textbox', { name: 'Message to Bo' })).toHaveCount(0)
})

test('every dialog opens by a key, holds the focus, and gives it back', async () => {
  await openRoom(page, 'Bo')
  await composer(page).focus()
  for (const [key, name] of [
    ['Control+,', 'Settings'],
    ['Control+/', 'Keyboard shortcuts'],
    ['Control+n', 'New conversation'],
  ] as const) {
    await press(key)
    const dialog = page.getByRole('dialog', { name })
    await expect(dialog).toBeVisible()
    for (let step = 0; step < 25; step++) await page.keyboard.press('Tab')
    expect(
      await dialog.evaluate(
        (element) =>
          element.contains(document.activeElement) || document.activeElement === document.body,
      ),
    ).toBe(true)
    await press('Escape')
    await expect(dialog).toBeHidden()
    await expect(composer(page)).toBeFocused()
  }
  await press('Control+i')
  await expect(page.getByRole('complementary', { name: 'Details' })).toBeHidden()
  await press('Control+i')
  await expect(page.getByRole('complementary', { name: 'Details' })).toBeVisible()
})

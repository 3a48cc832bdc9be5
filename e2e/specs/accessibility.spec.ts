/**
 * Every screen, in light and in dark, through axe: no violation. A picture of each is kept.
 *
 * One walk through the real app. What nobody can bring about at will (an unreadable message, a damaged
 * vault) main tells its window in the words of the IPC contract; the window can't know the difference.
 */
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import type { Locator, Page } from '@playwright/test'
import {
  eventChannel,
  events,
  type Bridge,
  type CallInput,
  type CallName,
  type CallOutput,
  type EventName,
  type EventPayload,
} from '../../src-shared/ipc/index.ts'
import type { AccountView, MessageItem } from '../../src-shared/view-model/index.ts'
import {
  accept,
  composer,
  confirmWords,
  delivered,
  messages,
  messageWith,
  openRoom,
  passphrase,
  roomRow,
  say,
  sees,
  signIn,
  startDirect,
  unlock,
  workspace,
} from '../driver/person.ts'
import { Person, Stage } from '../driver/stage.ts'
import { artefacts, expect, test } from '../driver/test.ts'

// One story: each step begins where the one before ended.
test.describe.configure({ mode: 'serial' })
// Most of it is axe at work; on a busy machine that takes several times as long.
test.setTimeout(600_000)

const pictures = join(artefacts, 'screens')
rmSync(pictures, { recursive: true, force: true })
mkdirSync(pictures, { recursive: true })

const longText =
  'The key for the boathouse is with Jonas. He is away until Thursday, but his neighbour can let us in if we call before noon. Bring the map, the thermos and the good cups, not the paper ones; and if the ferry is late again, we meet at the small café behind the harbour, the one with the blue door.'

/** Axe over what is shown now, in both themes; `without` names more of the same that need not be looked at. */
async function isAccessible({ page }: Person, name: string, without?: string): Promise<void> {
  for (const theme of ['light', 'dark'] as const) {
    // Without motion the colours are those that stay.
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
    await page.screenshot({ path: join(pictures, `${name}-${theme}.png`) })
    // Legacy mode: axe otherwise opens a page of its own, which an app does not allow.
    // What passes need not be described node by node: that takes axe about as long as the rules.
    const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'] })
    // The page is the same in both; only what depends on colours can differ.
    if (theme === 'dark') axe.withRules(['color-contrast', 'link-in-text-block'])
    if (without !== undefined) axe.exclude(without)
    const { violations, passes } = await axe.analyze()
    expect(passes.length, `axe looked at ${name}`).toBeGreaterThan(theme === 'dark' ? 0 : 3)
    expect
      .soft(
        violations.map(
          ({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`,
        ),
        `${name}, ${theme}`,
      )
      .toEqual([])
  }
}

/** Main tells its window something. */
async function tell<N extends EventName>(
  { app }: Person,
  name: N,
  payload: EventPayload<N>,
): Promise<void> {
  const batch = [{ name, payload: events[name].parse(payload) }]
  await app.electron.evaluate(
    ({ BrowserWindow }, { channel, batch }) => {
      for (const window of BrowserWindow.getAllWindows())
        if (window.isVisible()) window.webContents.send(channel, batch)
    },
    { channel: eventChannel, batch },
  )
}

/** What the window would be answered. */
async function ask<N extends CallName>(
  { page }: Person,
  name: N,
  input: CallInput<N>,
): Promise<CallOutput<N>> {
  const result = await page.evaluate(
    ([name, input]) =>
      (window as unknown as { privchat: Bridge }).privchat.call(name as never, input as never),
    [name, input] as const,
  )
  if (!result.ok) throw new Error(`main refused ${name}`)
  return result.value
}

async function accountOf(person: Person): Promise<AccountView> {
  const [account] = (await ask(person, 'app.state', {})).accounts
  if (account === undefined) throw new Error(`${person.name} has no account here`)
  return account
}

async function openTools(page: Page, text: string): Promise<Locator> {
  const message = messageWith(page, text)
  await message.hover()
  return message.getByRole('toolbar', { name: 'Message actions' })
}

let stage: Stage
let ada: Person
let bo: Person

test.beforeAll(async () => {
  stage = await Stage.withProxy()
  ada = new Person('ada', 'Ada', 'ada')
  ;[bo] = await Promise.all([stage.newcomer('bo', 'Bo 鷺'), stage.open(ada)])
})
test.afterAll(() => stage.end())

test('before there is an account', async () => {
  const { page } = ada
  await expect(page.getByLabel('Repeat the passphrase')).toBeVisible()
  await isAccessible(ada, 'passphrase')
  await page.getByLabel('Passphrase', { exact: true }).fill(passphrase)
  await page.getByLabel('Repeat the passphrase').fill(passphrase)
  await page.getByRole('button', { name: 'Lock with this passphrase' }).click()
  await expect(page.getByRole('button', { name: 'Create an account' })).toBeVisible()
  await isAccessible(ada, 'welcome')
  await page.getByRole('button', { name: 'I already have an account' }).click()
  await isAccessible(ada, 'sign-in')
  await page.getByRole('button', { name: 'Back' }).first().click()
  await page.getByRole('button', { name: 'Create an account' }).click()
  await page.getByRole('radio', { name: /On another server/ }).check()
  await page.getByLabel('Server address').fill('127.0.0.1:1')
  await page.getByRole('button', { name: 'Continue' }).click()
  await expect(page.getByRole('alert')).toBeVisible()
  await isAccessible(ada, 'where')
  await page.getByLabel('Server address').fill(stage.address)
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByLabel('Name', { exact: true }).fill('ada')
  await page.getByLabel(/^Display name/).fill('Ada')
  await page.getByLabel('Password', { exact: true }).fill(ada.password)
  await isAccessible(ada, 'you')
  await page.getByRole('button', { name: 'Continue' }).click()
  const words = page.getByRole('list', { name: 'Recovery words' }).getByRole('listitem')
  await expect(words).toHaveCount(24)
  await isAccessible(ada, 'words')
  ada.words = await words.allInnerTexts()
  await page.getByRole('button', { name: 'I wrote them down' }).click()
  await expect(page.getByLabel(/^Word \d+$/)).toHaveCount(3)
  await isAccessible(ada, 'confirm')
  await confirmWords(page, ada.words)
})

test('an empty workspace, and the dialogs one begins with', async () => {
  const { page } = ada
  await expect(page.getByRole('heading', { name: 'Say hello to someone' })).toBeVisible()
  await isAccessible(ada, 'empty')
  await page.getByRole('button', { name: /^Your account:/ }).click()
  await expect(page.getByRole('menu')).toBeVisible()
  await isAccessible(ada, 'account-menu')
  await page.keyboard.press('Escape')

  await page.keyboard.press('Control+n')
  const start = page.getByRole('dialog', { name: 'New conversation' })
  await start.getByLabel('Who do you want to talk to?').fill('nobody.here')
  await start.getByRole('button', { name: 'Find' }).click()
  await expect(start.getByRole('alert')).toBeVisible()
  await isAccessible(ada, 'new-conversation')
  await start.getByLabel('Who do you want to talk to?').fill('bo')
  await start.getByRole('button', { name: 'Find' }).click()
  await expect(start.getByRole('group', { name: 'Bo 鷺' })).toBeVisible()
  await isAccessible(ada, 'new-conversation-found')
  await start.getByRole('button', { name: 'Create a group instead' }).click()
  const group = page.getByRole('dialog', { name: 'New group' })
  await group.getByLabel('Group name').fill('Lake house')
  await group.getByRole('textbox', { name: 'People' }).fill('bo')
  await group.getByRole('textbox', { name: 'People' }).press('Enter')
  await isAccessible(ada, 'new-group')
  await group.getByRole('button', { name: 'Cancel' }).click()

  await page.keyboard.press('Control+/')
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible()
  await isAccessible(ada, 'shortcuts')
  await page.keyboard.press('Escape')
})

test('every part of the settings', async () => {
  const { page } = ada
  await page.keyboard.press('Control+,')
  const settings = page.getByRole('dialog', { name: 'Settings' })
  for (const name of ['Profile', 'Appearance', 'Notifications', 'Privacy', 'Devices', 'About']) {
    await settings.getByRole('tab', { name }).click()
    await expect(settings.getByRole('tabpanel', { name })).toBeVisible()
    if (name === 'Privacy')
      await settings.getByRole('button', { name: 'Set or change passphrase' }).click()
    if (name === 'Devices')
      await expect(
        settings.getByRole('list', { name: 'Devices' }).getByRole('listitem'),
      ).toHaveCount(1)
    await isAccessible(ada, `settings-${name.toLowerCase()}`)
  }
  await settings.getByRole('tab', { name: 'Profile' }).click()
  await settings.getByRole('button', { name: 'Sign out' }).click()
  await expect(settings.getByRole('group', { name: 'Sign out of this computer?' })).toBeVisible()
  await isAccessible(ada, 'settings-sign-out')
  await page.keyboard.press('Escape')
})

test('invitations', async () => {
  await startDirect(bo.page, 'ada')
  await bo.page.getByRole('button', { name: 'New conversation' }).first().click()
  await bo.page.getByRole('button', { name: 'Create a group instead' }).click()
  const group = bo.page.getByRole('dialog', { name: 'New group' })
  await group
    .getByLabel('Group name')
    .fill('Garden on Elm Street, and everybody with a wheelbarrow')
  await group.getByLabel(/^What is it about/).fill('Seeds, beds and watering')
  await group.getByRole('textbox', { name: 'People' }).fill('ada')
  await group.getByRole('button', { name: 'Create group' }).click()
  const invitations = ada.page.getByRole('region', { name: 'Invitations' })
  await expect(invitations.getByRole('listitem')).toHaveCount(2)
  await invitations.getByText('Bo 鷺', { exact: true }).click()
  await expect(ada.page.getByRole('heading', { name: 'Bo 鷺 wants to talk to you' })).toBeVisible()
  await isAccessible(ada, 'invitation')
  await accept(ada.page, 'Bo 鷺')
  await accept(ada.page, 'Garden on Elm Street, and everybody with a wheelbarrow')
})

test('a conversation in several scripts: editing, reacting, replying', async () => {
  await openRoom(ada.page, 'Bo 鷺')
  await openRoom(bo.page, 'Ada')
  await isAccessible(ada, 'conversation-beginning')
  await say(ada.page, 'Good morning ☀️ Are we still on for Sunday?')
  await sees(bo.page, 'Good morning ☀️ Are we still on for Sunday?')
  await say(bo.page, '我把地图画好了，周日早上八点在码头见，可以吗？')
  await say(
    bo.page,
    'أستطيع أن أحضر القارب الصغير والقهوة الجيدة، وإذا تأخرت العبّارة نلتقي في المقهى خلف الميناء.',
  )
  await say(bo.page, '🛶🍂')
  await sees(ada.page, '🛶🍂')
  await say(ada.page, 'The path is open again: https://trails.example.org/lake-loop?season=autumn')
  await say(ada.page, 'We meet at siks')
  await expect(delivered(messageWith(ada.page, 'We meet at siks'), 'Bo 鷺')).toBeVisible()
  await ada.page.keyboard.press('ArrowUp')
  await expect(composer(ada.page)).toHaveValue('We meet at siks')
  await composer(ada.page).fill('We meet at six')
  await isAccessible(ada, 'editing')
  await composer(ada.page).press('Enter')
  await sees(bo.page, 'We meet at six')

  await (await openTools(bo.page, 'We meet at six')).getByRole('button', { name: 'React' }).click()
  await isAccessible(bo, 'reacting')
  await bo.page.getByRole('button', { name: 'React with ❤️' }).click()
  await (await openTools(bo.page, 'We meet at six')).getByRole('button', { name: 'Reply' }).click()
  await composer(bo.page).fill(longText)
  await isAccessible(bo, 'replying')
  await composer(bo.page).press('Enter')
  await sees(ada.page, longText)
})

test('the menu of a message, its details, deleting it, a link, emoji', async () => {
  await say(ada.page, 'Sent too early')
  const menu = await openTools(ada.page, 'Sent too early')
  await menu.getByRole('button', { name: 'More actions' }).click()
  await expect(ada.page.getByRole('menu')).toBeVisible()
  await isAccessible(ada, 'message-menu')
  await ada.page.getByRole('menuitem', { name: 'Message details' }).click()
  await expect(ada.page.getByRole('dialog', { name: 'Message details' })).toBeVisible()
  await isAccessible(ada, 'message-details')
  await ada.page.keyboard.press('Escape')
  await (
    await openTools(ada.page, 'Sent too early')
  )
    .getByRole('button', { name: 'More actions' })
    .click()
  await ada.page.getByRole('menuitem', { name: 'Delete…' }).click()
  const question = ada.page.getByRole('alertdialog', { name: 'Delete this message?' })
  await expect(question).toBeVisible()
  await isAccessible(ada, 'delete')
  await question.getByRole('button', { name: 'Delete message' }).click()
  await expect(messages(ada.page).getByText('This message was deleted')).toBeVisible()
  await isAccessible(ada, 'conversation')
  await isAccessible(bo, 'conversation-other-side')

  await messageWith(ada.page, 'The path is open').getByRole('link').click()
  await expect(ada.page.getByRole('alertdialog', { name: 'Open this link?' })).toBeVisible()
  await isAccessible(ada, 'link')
  await ada.page.keyboard.press('Escape')
  await ada.page.getByRole('button', { name: 'Insert emoji' }).click()
  await expect(ada.page.getByRole('button', { name: 'grinning face', exact: true })).toBeVisible()
  await isAccessible(ada, 'emoji', '.picker__section + .picker__section')
  await ada.page.keyboard.press('Escape')
})

test('messages that can’t be read, and what was refused', async () => {
  const { account } = await accountOf(ada)
  const rooms = await ask(ada, 'rooms.list', { account })
  const room = rooms.find(({ kind }) => kind === 'direct')?.id ?? ''
  const time = Date.now()
  const message = (key: string, more: Partial<MessageItem>): MessageItem => ({
    kind: 'message',
    key,
    envelope: key,
    sender: 'somebody',
    senderName: 'Bo 鷺',
    senderUserId: '@bo:garden.example',
    mine: false,
    time,
    text: '',
    edited: false,
    deleted: false,
    protection: { state: 'protected' },
    warnings: [],
    delivery: null,
    deliveredTo: [],
    failure: null,
    quote: null,
    reactions: [],
    bot: false,
    bridge: null,
    expiresAt: null,
    ...more,
  })
  await tell(ada, 'timeline', {
    account,
    room,
    removed: [],
    reset: false,
    upserts: [
      { kind: 'notice', key: 'refused', time, notice: { what: 'refused', reason: 'replayed' } },
      message('unreadable', { protection: { state: 'unreadable', reason: 'key_exchange_failed' } }),
      message('waiting', { protection: { state: 'waiting_for_key', since: time } }),
      message('warned', { text: 'From a device that changed', warnings: ['key_changed'] }),
      message('failed', {
        text: 'This one did not go out',
        mine: true,
        sender: account,
        delivery: 'failed',
        failure: 'recipient_unreachable',
      }),
      message('expiring', { text: 'Gone tomorrow', expiresAt: time + 86_400_000 }),
    ],
  })
  await expect(messages(ada.page).getByText('This message can’t be read here')).toBeVisible()
  await expect(messages(ada.page).getByText('Waiting to be unlocked')).toBeVisible()
  await tell(ada, 'alerts', {
    account,
    alerts: [
      {
        id: 'changed',
        tier: 3,
        room,
        time,
        alert: {
          what: 'contact_changed',
          userId: '@bo:garden.example',
          name: 'Bo 鷺',
          change: 'identity_reset',
        },
      },
      { id: 'node', tier: 2, room: null, time, alert: { what: 'personal_node_down' } },
    ],
  })
  await expect(ada.page.getByText('Your own server stopped.')).toBeVisible()
  await isAccessible(ada, 'unreadable')
  for (const [tier, alert] of [
    [1, { what: 'vault_damaged', records: 3 }],
    [0, { what: 'vault_rolled_back' }],
  ] as const) {
    const alerts = [{ id: alert.what, tier, room: null, time, alert }]
    await tell(ada, 'alerts', { account, alerts })
    await expect(ada.page.getByRole('alertdialog')).toBeVisible()
    await isAccessible(ada, alert.what.replaceAll('_', '-'))
  }
  await tell(ada, 'alerts', { account, alerts: [] })
  await ada.page.reload()
})

const garden = 'Garden on Elm Street, and everybody with a wheelbarrow'

test('rooms with unread messages, the palette, a group and its details', async () => {
  const { page } = ada
  await openRoom(page, 'Bo 鷺')
  await openRoom(bo.page, garden)
  await say(bo.page, 'The soil arrived. Two cubic metres. It is… a lot.')
  await say(bo.page, 'Who can help with wheelbarrows on Saturday?')
  await expect(roomRow(page, garden)).toContainText('2 unread messages')
  await isAccessible(ada, 'rooms')
  await page.keyboard.press('Control+k')
  await expect(page.getByRole('dialog', { name: 'Jump to' }).getByRole('combobox')).toBeFocused()
  await isAccessible(ada, 'palette')
  await page.getByRole('combobox').fill('nothing is called this')
  await expect(page.getByText('Nothing found')).toBeVisible()
  await isAccessible(ada, 'palette-empty')
  await page.keyboard.press('Escape')
  await openRoom(page, garden)
  await expect(messages(page).getByText('New messages')).toBeVisible()
  const details = page.getByRole('complementary', { name: 'Details' })
  await details.getByRole('button', { name: /^Bo 鷺/ }).click()
  await expect(details.getByRole('list', { name: 'Devices of Bo 鷺' })).toBeVisible()
  await isAccessible(ada, 'group-unread')
  const theirs = bo.page.getByRole('complementary', { name: 'Details' })
  await theirs.getByRole('button', { name: 'Rename' }).click()
  await expect(bo.page.getByRole('dialog', { name: 'Rename conversation' })).toBeVisible()
  await isAccessible(bo, 'rename')
  await bo.page.keyboard.press('Escape')
  await theirs.getByRole('button', { name: 'Invite people' }).click()
  await expect(bo.page.getByRole('dialog', { name: /^Invite to/ })).toBeVisible()
  await isAccessible(bo, 'invite')
  await bo.page.keyboard.press('Escape')
  await theirs.getByRole('button', { name: /^Ada/ }).click()
  await theirs.getByRole('button', { name: 'Remove Ada' }).click()
  await expect(bo.page.getByRole('alertdialog', { name: 'Remove Ada?' })).toBeVisible()
  await isAccessible(bo, 'remove')
  await bo.page.keyboard.press('Escape')
  await theirs.getByRole('button', { name: 'Change', exact: true }).click()
  await expect(bo.page.getByRole('dialog', { name: 'Who can join' })).toBeVisible()
  await isAccessible(bo, 'who-can-join')
  await bo.page.keyboard.press('Escape')
})

test('somebody at the door: waiting there, put out', async () => {
  const { account } = await accountOf(ada)
  const rooms = await ask(ada, 'rooms.list', { account })
  const room = rooms.find(({ name }) => name === garden)
  if (room === undefined) throw new Error('no group')
  const { page } = ada
  const changed = (more: Partial<typeof room>) =>
    tell(ada, 'rooms', { account, changed: [{ ...room, ...more }], removed: [] })
  await changed({ membership: 'knock' })
  await expect(page.getByRole('heading', { name: /^You have asked to join/ })).toBeVisible()
  await isAccessible(ada, 'knocking')
  const ended = { how: 'banned', by: 'Bo 鷺', reason: 'Too many seeds' } as const
  await changed({ membership: 'leave', ended })
  await expect(page.getByText(/^Bo 鷺 banned you/)).toBeVisible()
  await isAccessible(ada, 'banned')
  await changed({})
  await expect(composer(page)).toBeVisible()
  await tell(ada, 'typing', { account, room: room.id, names: ['Bo 鷺', 'Cem'] })
  await expect(page.locator('.writing')).toHaveText('Bo 鷺 and Cem are writing…')
  await isAccessible(ada, 'writing')
})

test('leaving, and taking it back', async () => {
  const { page } = ada
  await page.getByRole('button', { name: 'Leave conversation' }).click()
  const question = page.getByRole('alertdialog', { name: `Leave ${garden}?` })
  await expect(question).toBeVisible()
  await isAccessible(ada, 'leave')
  await question.getByRole('button', { name: 'Leave' }).click()
  const undo = page.getByRole('region', { name: 'Notifications' }).getByRole('button', {
    name: 'Undo',
  })
  await expect(undo).toBeVisible()
  await isAccessible(ada, 'leaving')
  // Axe may have taken longer than the seconds that one has.
  if (await undo.isVisible()) await undo.click()
})

test('a further device: waiting, asking, put off', async () => {
  const desk = await stage.desktop('ada', 'Ada', 'ada-desk')
  await signIn(desk.page, { name: 'ada', password: desk.password, server: stage.address })
  await expect(desk.page.getByRole('heading', { name: 'Approve this computer' })).toBeVisible()
  const question = ada.page.getByRole('alertdialog', {
    name: 'A new device wants to join your account',
  })
  await expect(question.getByText(/^\d[\d\s]+\d$/)).toBeVisible()
  await isAccessible(ada, 'device-approval')
  await expect(desk.page.getByText(/^\d[\d\s]+\d$/)).toBeVisible()
  await isAccessible(desk, 'pending-approval')
  await question.press('Escape')
  const notices = ada.page.getByRole('region', { name: 'Notices' })
  await expect(notices.getByRole('button', { name: 'Review' })).toBeVisible()
  await isAccessible(ada, 'device-waiting')
  await notices.getByRole('button', { name: 'Review' }).click()
  await question.getByRole('button', { name: 'No, or it isn’t mine' }).click()
  await expect(desk.page.getByRole('alert')).toBeVisible()
  await isAccessible(desk, 'turned-away')
  await desk.quit()
})

test('without a connection', async () => {
  const { page } = ada
  await openRoom(page, 'Bo 鷺')
  stage.proxy.setTarget(null)
  await say(page, 'It can wait')
  const notices = page.getByRole('region', { name: 'Notices' })
  await expect(notices.getByRole('button', { name: 'Try now' })).toBeVisible()
  await expect(notices).toContainText('1 message waits')
  await isAccessible(ada, 'offline')
  stage.proxy.setTarget(stage.node.url)
  await notices.getByRole('button', { name: 'Try now' }).click()
  // Bo presses nothing, and comes back by himself within the longest pause between tries.
  await expect(delivered(messageWith(page, 'It can wait'), 'Bo 鷺')).toBeVisible({
    timeout: 90_000,
  })
  const account = await accountOf(ada)
  await tell(ada, 'account', {
    ...account,
    connection: { state: 'signed_out', reason: 'signed_out_elsewhere' },
  })
  await notices.getByRole('button', { name: 'Sign in again' }).click()
  await expect(page.getByRole('heading', { name: 'Sign in on this computer' })).toBeVisible()
  await isAccessible(ada, 'sign-in-again')
})

test('locked, and a vault that does not open', async () => {
  await ada.quit()
  await stage.open(ada)
  const { page } = ada
  await expect(page.getByLabel('Passphrase', { exact: true })).toBeVisible()
  await unlock(page, 'not the passphrase')
  await expect(page.getByRole('alert')).toBeVisible()
  await isAccessible(ada, 'unlock')
  await unlock(page)
  await expect(workspace(page)).toBeVisible()
  const state = await ask(ada, 'app.state', {})
  await tell(ada, 'app.state', {
    ...state,
    stage: 'vault_problem',
    problem: {
      what: 'rolled_back',
      canUsePassphrase: true,
      canStartFreshSessions: true,
      canStartOver: false,
    },
  })
  await expect(
    page.getByRole('heading', { name: 'Your messages can’t be opened as usual' }),
  ).toBeVisible()
  await isAccessible(ada, 'vault-problem')

  // For real: the key is gone, the records are there.
  await ada.quit()
  const key = join(stage.profileFolder(ada.profile), 'vault-key.json')
  renameSync(key, `${key}.away`)
  await stage.open(ada)
  await expect(
    ada.page.getByRole('heading', { name: 'Your messages can’t be opened as usual' }),
  ).toBeVisible()
  await expect(ada.page.getByText('Nothing was deleted or overwritten.')).toBeVisible()
  await ada.page.getByRole('button', { name: 'Check again' }).click()
  await expect(ada.page.getByRole('status').getByText('Nothing has changed yet.')).toBeVisible()
  await ada.page.getByRole('button', { name: 'Start over on this computer' }).click()
  await isAccessible(ada, 'vault-missing')
  await ada.page.getByRole('button', { name: 'Put aside and start over' }).click()
  await expect(ada.page.getByLabel('Repeat the passphrase')).toBeVisible()
})

test('a keychain that is locked, or has another key', async () => {
  test.skip(
    !/host[/\\]electron$/.test(process.env['ECCP_E2E_EXECUTABLE'] ?? 'host/electron'),
    'the development host alone has a keychain that tests can lock',
  )
  const eve = new Person('eve', 'Eve', 'eve')
  await stage.openWithKeychain(eve, 'open')
  const begin = () => eve.page.getByRole('button', { name: 'Create an account' })
  await expect(begin()).toBeVisible()
  await eve.quit()

  await stage.openWithKeychain(eve, 'locked')
  await expect(eve.page.getByText('Your computer’s keychain is locked')).toBeVisible()
  await expect(eve.page.getByRole('button', { name: 'Start over on this computer' })).toHaveCount(0)
  await isAccessible(eve, 'keychain-locked')
  stage.setKeychain('open')
  await eve.page.getByRole('button', { name: 'Check again' }).click()
  await expect(begin()).toBeVisible()
  await eve.quit()

  await stage.openWithKeychain(eve, 'changed')
  await expect(eve.page.getByText('no longer has the key that locked these messages')).toBeVisible()
  await isAccessible(eve, 'keychain-changed')
  await expect(begin()).toHaveCount(0)
})

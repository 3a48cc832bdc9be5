import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { startNode } from './testing/start-node.ts'
import type { TestNode } from './testing/start-node.ts'
import { TransportError } from '../src-shared/client/index.ts'
import type { Transport } from '../src-shared/client/index.ts'
import {
  conversation,
  messages,
  newDevice,
  newUser,
  pairOfUsers,
  reopened,
  say,
  texts,
  timeline,
  until,
} from './testing/engine-users.ts'
import type { TestUser } from './testing/engine-users.ts'

vi.setConfig({ testTimeout: 180_000 })

let node: TestNode
let users: TestUser[]

beforeEach(async () => {
  node = await startNode()
  users = []
})
afterEach(async () => {
  await Promise.all(users.map(({ engine }) => engine.stop()))
  await node.stop()
})

async function pair(): Promise<readonly [TestUser, TestUser]> {
  const both = await pairOfUsers(node)
  users.push(...both)
  return both
}

/** A transport that can be unplugged. */
function pluggable(): { plugged: boolean; wrap: (real: Transport) => Transport } {
  const cable = {
    plugged: true,
    wrap: (real: Transport): Transport => ({
      request: async (request, cancel) => {
        if (!cable.plugged) throw new TransportError('unreachable')
        const response = await real.request(request, cancel)
        if (!cable.plugged) throw new TransportError('unreachable')
        return response
      },
    }),
  }
  return cable
}

function noticed(items: Awaited<ReturnType<typeof timeline>>): string[] {
  return items.flatMap((item) => (item.kind === 'notice' ? [item.notice.what] : []))
}

async function notices(user: TestUser, room: string) {
  return (await timeline(user, room)).filter((item) => item.kind === 'notice')
}

/** The other side may have a message before the answer to it is here, and only what is sent can be changed. */
async function isSent(user: TestUser, room: string): Promise<void> {
  await until(async () => (await messages(user, room)).at(-1)?.delivery !== 'queued')
}

describe('somebody new', () => {
  it('may begin a conversation before anything was heard from the node', async () => {
    const ben = await newUser(node, 'ben')
    const ada = await newUser(node, 'ada', { isStarted: false })
    users.push(ada, ben)
    const begun = ada.engine.startDirect('ben')
    await until(() => ada.engine.roomList().length === 1)
    ada.engine.start()
    const { room } = await begun
    await say(ada, room, 'hello')
    await until(() => ben.engine.roomList().some(({ id }) => id === room))
    await ben.engine.accept(room)
    await until(async () => (await texts(ben, room)).includes('hello'))
  })
})

describe('two people', () => {
  it('talk, and each sees that the other has it', async () => {
    const [ada, ben] = await pair()
    const room = await conversation(ada, ben)
    await say(ada, room, 'hello')
    await until(async () => (await texts(ben, room)).includes('hello'))
    await say(ben, room, 'hello yourself')
    await until(async () => (await texts(ada, room)).includes('hello yourself'))
    await until(async () => (await messages(ada, room))[0]?.delivery === 'delivered')
    expect((await messages(ada, room))[0]?.deliveredTo).toEqual(['BEN'])
    expect(await texts(ada, room)).toEqual(['hello', 'hello yourself'])
    expect(await texts(ben, room)).toEqual(['hello', 'hello yourself'])
    // Both are told how it began, by the same events.
    const beginning = await notices(ada, room)
    expect(beginning.map(({ notice }) => notice.what)).toEqual(['created', 'invited', 'joined'])
    expect(await notices(ben, room)).toEqual(beginning)
  })

  it('who write first at the same moment understand each other', async () => {
    const [ada, ben] = await pair()
    const room = await conversation(ada, ben)
    await Promise.all([say(ada, room, 'me first'), say(ben, room, 'no, me')])
    for (const user of [ada, ben]) await until(async () => (await texts(user, room)).length === 2)
    for (let turn = 0; turn < 4; turn++) {
      await say(ada, room, `ada ${String(turn)}`)
      await say(ben, room, `ben ${String(turn)}`)
    }
    for (const user of [ada, ben]) await until(async () => (await texts(user, room)).length === 10)
    expect(await texts(ada, room)).toEqual(await texts(ben, room))
    expect((await texts(ben, room)).some((text) => text.startsWith('<'))).toBe(false)
  })

  it('who write before the other has joined are heard once they have', async () => {
    const [ada, ben] = await pair()
    const { room } = await ada.engine.startDirect('ben')
    await say(ada, room, 'are you there?')
    await until(() => ben.engine.roomList().length === 1)
    expect((await messages(ada, room))[0]?.delivery).toBe('queued')
    await ben.engine.accept(room)
    await until(async () => (await texts(ben, room)).includes('are you there?'))
    await until(async () => (await messages(ada, room))[0]?.delivery === 'delivered')
  })

  it('edit, delete, react and reply', async () => {
    const [ada, ben] = await pair()
    const room = await conversation(ada, ben)
    await say(ada, room, 'teh first')
    await until(async () => (await texts(ben, room)).length === 1)
    await isSent(ada, room)
    const envelope = (await messages(ben, room))[0]?.envelope ?? ''
    await ada.engine.edit(room, envelope, 'the first')
    await ben.engine.react(room, envelope, '👍', true)
    await ben.engine.send(room, { text: 'a reply', replyTo: envelope, clientKey: 'r' })
    await until(async () => (await texts(ada, room)).length === 2)
    await until(async () => (await messages(ben, room))[0]?.edited === true)
    expect(await texts(ben, room)).toEqual(['the first', 'a reply'])
    const [first, second] = await messages(ada, room)
    expect(first?.reactions).toEqual([{ emoji: '👍', members: [ben.engine.account], mine: false }])
    expect(second?.quote).toMatchObject({ text: 'the first', senderName: 'ADA', missing: false })
    await ben.engine.react(room, envelope, '👍', false)
    await until(async () => (await messages(ada, room))[0]?.reactions.length === 0)
    await ada.engine.delete(room, envelope)
    await until(async () => (await messages(ben, room))[0]?.deleted === true)
    expect((await messages(ben, room))[0]?.text).toBe('')
    expect((await messages(ben, room))[1]?.quote?.missing).toBe(true)
    await expect(ben.engine.edit(room, envelope, 'mine now')).rejects.toMatchObject({
      code: 'bad_input',
    })
  })

  it('see the last message change in the list of rooms too', async () => {
    const [ada, ben] = await pair()
    const room = await conversation(ada, ben)
    await say(ada, room, 'we meet at siks')
    const preview = () => ben.engine.roomList()[0]?.preview
    await until(() => preview()?.text === 'we meet at siks')
    await isSent(ada, room)
    const envelope = (await messages(ben, room))[0]?.envelope ?? ''
    await ada.engine.edit(room, envelope, 'we meet at six')
    await until(() => preview()?.text === 'we meet at six')
    await ada.engine.delete(room, envelope)
    await until(() => preview()?.kind === 'deleted')
    expect(preview()?.text).toBe('')
  })

  it('count what is unread and who was named', async () => {
    const [ada, ben] = await pair()
    const room = await conversation(ada, ben)
    await say(ada, room, 'hello @ben, look')
    await until(() => ben.engine.roomList()[0]?.unread === 1)
    expect(ben.engine.roomList()[0]).toMatchObject({ mentions: 1, name: 'ADA' })
    expect(ben.engine.roomList()[0]?.preview).toMatchObject({ text: 'hello @ben, look' })
    expect(ben.changes.find(({ kind }) => kind === 'notify')).toMatchObject({ mention: true })
    await ben.engine.markRead(room)
    await until(() => ben.engine.roomList()[0]?.unread === 0)
  })

  it('decline and leave, and take leaving back', async () => {
    const [ada, ben] = await pair()
    const { room } = await ada.engine.startDirect('ben')
    await until(() => ben.engine.roomList().length === 1)
    await ben.engine.decline(room)
    await until(() => ben.engine.roomList().length === 0)
    await until(async () => noticed(await timeline(ada, room)).includes('declined'))
    await say(ada, room, 'too late')
    await until(async () => (await messages(ada, room))[0]?.failure === 'recipient_unreachable')
    const again = await conversation(ada, ben)
    await ada.engine.leave(again)
    await ada.engine.undoLeave(again)
    expect((await ada.engine.details(again)).summary.leavingAt).toBe(null)
    await ada.engine.leave(again)
    await until(() => ada.engine.roomList().every(({ id }) => id !== again))
    await until(async () => noticed(await timeline(ben, again)).includes('left'))
  })
})

describe('a group', () => {
  it('talks, is renamed, and loses a member who reads no more', async () => {
    const [ada, ben] = await pair()
    const cleo = await newUser(node, 'cleo')
    users.push(cleo)
    const { room, notInvited } = await ada.engine.createGroup({
      name: 'Tea',
      topic: 'at four',
      invite: ['ben', '@cleo:node.test', 'nobody'],
      historyVisibility: 'joined',
    })
    expect(notInvited).toEqual(['nobody'])
    for (const user of [ben, cleo]) {
      await until(() => user.engine.roomList().length === 1)
      expect(user.engine.roomList()[0]).toMatchObject({ name: 'Tea', membership: 'invite' })
      await user.engine.accept(room)
    }
    await until(() => ada.engine.roomList()[0]?.memberCount === 3)
    await say(ada, room, 'welcome')
    for (const user of [ben, cleo])
      await until(async () => (await texts(user, room)).includes('welcome'))
    await ada.engine.rename(room, 'Coffee')
    await until(() => ben.engine.roomList()[0]?.name === 'Coffee')
    await expect(ben.engine.rename(room, 'Mine')).rejects.toMatchObject({ code: 'not_allowed' })
    const roles = async (user: TestUser) =>
      Object.fromEntries(
        (await user.engine.details(room)).members.map(({ name, role, can }) => [
          name,
          [role, ...can.roles].join(' '),
        ]),
      )
    expect(await roles(ben)).toEqual({ ADA: 'creator', BEN: 'member', CLEO: 'member' })
    await ada.engine.setRole(room, ben.engine.account, 'moderator')
    await until(async () => (await roles(ben))['BEN'] === 'moderator')
    await expect(ben.engine.setRole(room, cleo.engine.account, 'moderator')).rejects.toMatchObject({
      code: 'not_allowed',
    })
    await ben.engine.rename(room, 'Coffee for all')
    await until(() => ada.engine.roomList()[0]?.name === 'Coffee for all')
    expect(await roles(ada)).toEqual({
      ADA: 'creator',
      BEN: 'moderator admin member',
      CLEO: 'member admin moderator',
    })
    await ada.engine.removeMember(room, cleo.engine.account, '')
    await until(() => cleo.engine.roomList()[0]?.membership === 'leave')
    await say(ada, room, 'without cleo')
    await until(async () => (await texts(ben, room)).includes('without cleo'))
    expect(await texts(cleo, room)).toEqual(['welcome'])
    const { members } = await ada.engine.details(room)
    expect(members.map(({ name }) => name).sort()).toEqual(['ADA', 'BEN'])
  })
})

describe('coming into a room', () => {
  it('before its own node has told of it: who joined since the invitation is known all the same', async () => {
    const [ada, ben] = await pair()
    let release: () => void = () => undefined
    let held: Promise<void> = Promise.resolve()
    const slow = (real: Transport): Transport => ({
      request: async (request, cancel) => {
        const response = await real.request(request, cancel)
        if (request.path.includes('/sync')) await held
        return response
      },
    })
    const cleo = await newUser(node, 'cleo', { transport: slow })
    users.push(cleo)
    const { room } = await ada.engine.createGroup({
      name: 'Tea',
      topic: '',
      invite: ['ben', 'cleo'],
      historyVisibility: 'joined',
    })
    for (const { engine } of [ben, cleo]) await until(() => engine.roomList().length === 1)
    held = new Promise((resolve) => (release = resolve))
    await ben.engine.accept(room)
    await cleo.engine.accept(room)
    await until(() => ben.engine.roomList()[0]?.memberCount === 3)
    await say(ben, room, 'just in time')
    await until(async () => (await messages(ben, room))[0]?.delivery !== 'sending')
    release()
    await until(async () => (await texts(cleo, room)).includes('just in time'))
    expect(noticed(await timeline(cleo, room))).not.toContain('refused')
  })
})

describe('being offline', () => {
  it('keeps what is written and sends it when the network is back', async () => {
    const cable = pluggable()
    const ada = await newUser(node, 'ada', { transport: cable.wrap })
    const ben = await newUser(node, 'ben')
    users.push(ada, ben)
    const room = await conversation(ada, ben)
    cable.plugged = false
    await say(ada, room, 'one')
    await until(() => ada.engine.view().connection.state === 'offline')
    await say(ada, room, 'two')
    await until(() => ada.engine.view().queuedMessages === 2)
    for (let count = 0; count < 5; count++) await say(ben, room, `ben ${String(count)}`)
    const after = await reopened(node, ada, { transport: cable.wrap })
    await ada.engine.stop()
    users.push(after)
    expect((await texts(after, room)).slice(-2)).toEqual(['one', 'two'])
    cable.plugged = true
    after.engine.retryNow()
    await until(async () => (await texts(ben, room)).length === 7)
    await until(async () => (await texts(after, room)).length === 7)
    expect(await texts(after, room)).toEqual(await texts(ben, room))
    await until(() => after.engine.view().queuedMessages === 0)
  })

  it('catches up on a long backlog without losing or doubling anything', async () => {
    const [ada, ben] = await pair()
    const room = await conversation(ada, ben)
    await ben.engine.stop()
    const sent: string[] = []
    for (let count = 0; count < 130; count++) {
      sent.push(`message ${String(count)}`)
      await say(ada, room, `message ${String(count)}`)
    }
    await until(() => ada.engine.view().queuedMessages === 0)
    const back = await reopened(node, ben)
    users.push(back)
    await until(async () => (await texts(back, room)).length === 130)
    expect(await texts(back, room)).toEqual(sent)
    await until(async () => (await messages(ada, room)).every((m) => m.delivery === 'delivered'))
  })
})

describe('a sign-in that runs out', () => {
  let ahead = 0
  beforeEach(async () => {
    await node.stop()
    ahead = 0
    const now = (): number => Date.now() + ahead
    node = await startNode({ tokenLifetimeMs: 3_600_000, world: { now } })
  })

  it('is told, keeps what is written, and the password brings the same device back', async () => {
    const [ada, ben] = await pair()
    const room = await conversation(ada, ben)
    await say(ben, room, 'before')
    await until(async () => (await texts(ada, room)).includes('before'))
    const { device } = ada.engine.view()
    await expect(ada.engine.signInAgain('correct horse battery')).rejects.toMatchObject({
      code: 'not_allowed',
    })
    ahead = 4_000_000
    ada.engine.retryNow()
    await until(() => ada.engine.view().state === 'signed_out')
    expect(ada.engine.view().connection).toEqual({ state: 'signed_out', reason: 'token_expired' })
    await say(ada, room, 'while signed out')
    expect((await messages(ada, room)).at(-1)?.delivery).toBe('queued')
    await expect(ada.engine.signInAgain('not my password')).rejects.toMatchObject({
      code: 'wrong_password',
    })
    expect(ada.engine.view().state).toBe('signed_out')

    const later = await reopened(node, ada)
    await ada.engine.stop()
    users.push(later)
    expect(later.engine.view().state).toBe('signed_out')
    await later.engine.signInAgain('correct horse battery')
    ben.engine.retryNow()
    await until(() => ben.engine.view().state === 'signed_out')
    await ben.engine.signInAgain('correct horse battery')
    await until(() => later.engine.view().connection.state === 'online')
    expect(later.engine.view()).toMatchObject({ state: 'ready', device })
    await until(async () => (await texts(ben, room)).includes('while signed out'))
    await say(ben, room, 'welcome back')
    await until(async () => (await texts(later, room)).includes('welcome back'))
    expect(await texts(later, room)).toEqual(['before', 'while signed out', 'welcome back'])
  })

  it('still learns that the device was removed meanwhile', async () => {
    const ben = await newUser(node, 'ben')
    const laptop = await newDevice(node, 'ben')
    users.push(ben, laptop)
    await until(() => ben.engine.pairings()[0]?.step === 'compare')
    await ben.engine.answerPairing(laptop.engine.view().device, true)
    await until(() => laptop.engine.view().state === 'ready')
    ahead = 4_000_000
    for (const { engine } of [ben, laptop]) {
      engine.retryNow()
      await until(() => engine.view().state === 'signed_out')
    }
    await ben.engine.signInAgain('correct horse battery')
    await until(() => ben.engine.view().connection.state === 'online')
    await ben.engine.removeDevice(laptop.engine.view().device)
    await expect(laptop.engine.signInAgain('correct horse battery')).rejects.toMatchObject({
      code: 'signed_out',
    })
    const told = () => laptop.changes.filter(({ kind }) => kind === 'signed_out')
    await until(() => told().length === 2)
    expect(told()).toEqual([
      { kind: 'signed_out', reason: 'token_expired' },
      { kind: 'signed_out', reason: 'device_removed' },
    ])
  })
})

describe('two devices of one person', () => {
  async function secondDevice(ben: TestUser): Promise<TestUser> {
    const laptop = await newDevice(node, 'ben')
    users.push(laptop)
    expect(laptop.engine.view().state).toBe('pending_approval')
    await until(() => ben.engine.pairings()[0]?.step === 'compare')
    await until(() => laptop.engine.pairings()[0]?.step === 'compare')
    expect(laptop.engine.pairings()[0]?.code).toMatch(/^\d{3} \d{3}$/)
    expect(laptop.engine.pairings()[0]?.code).toBe(ben.engine.pairings()[0]?.code)
    expect(ben.engine.alerts().map(({ alert }) => alert.what)).toEqual(['device_waiting'])
    await ben.engine.answerPairing(laptop.engine.view().device, true)
    await until(() => laptop.engine.view().state === 'ready')
    return laptop
  }

  it('pair by code, and both read and write everything from then on', async () => {
    const [ada, ben] = await pair()
    const room = await conversation(ada, ben)
    await say(ada, room, 'before')
    await until(async () => (await texts(ben, room)).includes('before'))
    const laptop = await secondDevice(ben)
    await until(() => laptop.engine.roomList().some(({ id }) => id === room))
    await say(ada, room, 'after')
    await until(async () => (await texts(laptop, room)).includes('after'))
    await say(laptop, room, 'from the laptop')
    for (const user of [ada, ben])
      await until(async () => (await texts(user, room)).includes('from the laptop'))
    expect((await messages(ben, room)).at(-1)?.mine).toBe(true)
    await until(async () => noticed(await timeline(ada, room)).includes('device_added'))
    await until(() => ada.engine.alerts().some(({ alert }) => alert.what === 'contact_changed'))
    await until(async () => (await texts(laptop, room)).includes('before'))
    expect(await texts(laptop, room)).toEqual(['before', 'after', 'from the laptop'])
  })

  it('lose one by removal: it is signed out and reads nothing more', async () => {
    const [ada, ben] = await pair()
    const room = await conversation(ada, ben)
    const laptop = await secondDevice(ben)
    await until(() => laptop.engine.roomList().some(({ id }) => id === room))
    const devices = await ben.engine.devices()
    expect(devices.map(({ status }) => status)).toEqual(['active', 'active'])
    await ben.engine.removeDevice(laptop.engine.view().device)
    await until(() => laptop.engine.view().state === 'signed_out')
    expect(laptop.changes.find(({ kind }) => kind === 'signed_out')).toEqual({
      kind: 'signed_out',
      reason: 'device_removed',
    })
    await say(ada, room, 'only the desk')
    await until(async () => (await texts(ben, room)).includes('only the desk'))
    expect(await texts(laptop, room)).toEqual([])
    await until(async () => noticed(await timeline(ada, room)).includes('device_removed'))
  })

  it('refuse a device whose code differs', async () => {
    const [, ben] = await pair()
    const laptop = await newDevice(node, 'ben')
    users.push(laptop)
    await until(() => ben.engine.pairings()[0]?.step === 'compare')
    await ben.engine.answerPairing(laptop.engine.view().device, false)
    await until(() => laptop.engine.view().state === 'signed_out')
    await until(() => laptop.engine.pairings()[0]?.step === 'refused')
    await until(() => ben.engine.pairings().length === 0)
    expect((await ben.engine.devices()).length).toBe(1)
  })
})

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fromUtf8, toUtf8 } from '../src-shared/protocol/index.ts'
import type { Transport } from '../src-shared/client/index.ts'
import type { SyncResponse } from '../src-shared/api/index.ts'
import { startNode } from './testing/start-node.ts'
import type { TestNode } from './testing/start-node.ts'
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

/** As the vault does when it was rolled back: what would reuse keys is dropped. */
function forget(user: TestUser, ...folders: string[]): void {
  for (const key of [...user.store.records.keys()])
    if (folders.some((table) => key.startsWith(`${table}/`))) user.store.records.delete(key)
}

async function approve(old: TestUser, fresh: TestUser): Promise<void> {
  await until(() => old.engine.pairings()[0]?.step === 'compare')
  await old.engine.answerPairing(fresh.engine.view().device, true)
  await until(() => fresh.engine.view().state === 'ready')
}

describe('after a loss', () => {
  it('of all sessions, new ones are made and the message that fell between is read', async () => {
    const [ada, ben] = await pairOfUsers(node)
    users.push(ada, ben)
    const room = await conversation(ada, ben)
    await say(ada, room, 'before')
    await say(ben, room, 'answered')
    await until(async () => (await texts(ada, room)).length === 2)
    await until(async () => (await texts(ben, room)).length === 2)
    await ben.engine.stop()
    forget(ben, 'sessions', 'prekeys')
    await say(ada, room, 'in between')
    const back = await reopened(node, ben)
    users.push(back)
    await until(async () => (await texts(back, room)).includes('in between'))
    await say(back, room, 'here again')
    await say(ada, room, 'good')
    for (const user of [ada, back]) await until(async () => (await texts(user, room)).length === 5)
    expect(await texts(back, room)).toEqual(await texts(ada, room))
    expect((await texts(ada, room)).some((text) => text.startsWith('<'))).toBe(false)
  })

  it('of its own place in the room, it goes on after what the node has', async () => {
    const [ada, ben] = await pairOfUsers(node)
    users.push(ada, ben)
    const room = await conversation(ada, ben)
    await say(ada, room, 'one')
    await until(async () => (await texts(ben, room)).includes('one'))
    await ada.engine.stop()
    ada.store.records.delete(`room_state/${room}/own`)
    const back = await reopened(node, ada)
    users.push(back)
    await say(back, room, 'two')
    await until(async () => (await texts(ben, room)).includes('two'))
    expect(await texts(ben, room)).toEqual(['one', 'two'])
  })

  it('of the position, everything comes again and nothing is doubled', async () => {
    const [ada, ben] = await pairOfUsers(node)
    users.push(ada, ben)
    const room = await conversation(ada, ben)
    for (const text of ['one', 'two', 'three']) await say(ada, room, text)
    await until(async () => (await texts(ben, room)).length === 3)
    const before = await timeline(ben, room)
    await ben.engine.stop()
    ben.store.records.delete('account/position')
    const back = await reopened(node, ben)
    users.push(back)
    await say(ada, room, 'four')
    await until(async () => (await texts(back, room)).includes('four'))
    expect((await timeline(back, room)).slice(0, before.length)).toEqual(before)
    expect(await texts(back, room)).toEqual(['one', 'two', 'three', 'four'])
  })
})

describe('a device that comes late', () => {
  it('reads what was said before, page by page, with keys from the other device', async () => {
    const [ada, ben] = await pairOfUsers(node)
    users.push(ada, ben)
    const room = await conversation(ada, ben)
    const sent = Array.from({ length: 70 }, (_, n) => `message ${String(n)}`)
    for (const text of sent) await say(ada, room, text)
    await until(async () => (await texts(ben, room)).length === sent.length)
    await ada.engine.edit(room, (await messages(ada, room))[3]?.envelope ?? '', 'changed')
    sent[3] = 'changed'
    await until(async () => (await texts(ben, room))[3] === 'changed')
    const laptop = await newDevice(node, 'ben')
    users.push(laptop)
    await approve(ben, laptop)
    await until(() => laptop.engine.roomList().some(({ id }) => id === room))
    await until(async () => (await texts(laptop, room)).length >= sent.length)
    await until(async () => !(await texts(laptop, room)).some((text) => text.startsWith('<')))
    expect(await texts(laptop, room)).toEqual(sent)
  })
})

describe('a room that has moved on', () => {
  it('is caught up with when the node refuses what was sealed for it', async () => {
    const held = { on: false }
    const deaf = (real: Transport): Transport => ({
      request: async (request, cancel) => {
        const response = await real.request(request, cancel)
        if (!held.on || !request.path.includes('/sync')) return response
        // Ada hears of nothing that happens in the room or to anybody's devices.
        const json = JSON.parse(fromUtf8(response.body)) as SyncResponse
        const quiet = { ...json, rooms: {}, manifests: [] }
        return { ...response, body: toUtf8(JSON.stringify(quiet)) }
      },
    })
    const ada = await newUser(node, 'ada', { transport: deaf })
    const ben = await newUser(node, 'ben')
    users.push(ada, ben)
    const room = await conversation(ada, ben)
    await say(ada, room, 'one')
    await until(async () => (await texts(ben, room)).includes('one'))
    held.on = true
    const laptop = await newDevice(node, 'ben')
    users.push(laptop)
    await approve(ben, laptop)
    await until(() => laptop.engine.roomList().some(({ id }) => id === room))
    await say(ada, room, 'two')
    for (const user of [ben, laptop])
      await until(async () => (await texts(user, room)).includes('two'))
    await until(() => ada.engine.view().queuedMessages === 0)
  })
})

describe('prekeys', () => {
  it('are topped up when few are left', async () => {
    const [ada, ben] = await pairOfUsers(node)
    users.push(ada, ben)
    await conversation(ada, ben)
    const device = ben.engine.view().device
    const stock = async (): Promise<number> =>
      node.context.storage.read((tx) => tx.prekeys.oneTimeStock(ben.engine.account, device))
    await until(async () => (await stock()) >= 99)
    await node.context.storage.write(async (tx) => {
      for (let count = 0; count < 60; count++) await tx.prekeys.claim(ben.engine.account, device)
    })
    expect(await stock()).toBeLessThan(50)
    await say(ada, ada.engine.roomList()[0]?.id ?? '', 'wake up')
    await until(async () => (await stock()) >= 95)
  })
})

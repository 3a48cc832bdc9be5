/** Engines on nodes with different names: the whole way, from one person's outbox to the other's timeline. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FederationNet } from './testing/federation-net.ts'
import type { Member } from './testing/federation-net.ts'
import { conversation, messages, newUser, say, texts, until } from './testing/engine-users.ts'
import type { TestUser } from './testing/engine-users.ts'

vi.setConfig({ testTimeout: 240_000 })

let net: FederationNet
let users: TestUser[]
beforeEach(async () => {
  net = await FederationNet.open(['a.test', 'b.test', 'c.test'])
  users = []
})
afterEach(async () => {
  await Promise.all(users.map(({ engine }) => engine.stop()))
  await net.close()
})

async function person(home: Member, name: string): Promise<TestUser> {
  const user = await newUser(home, name)
  users.push(user)
  return user
}

const entry = ({ engine }: TestUser, room: string) =>
  engine.roomList().find(({ id }) => id === room)

describe('two people on two nodes', () => {
  it('talk, encrypted, and each sees that the other has it', async () => {
    const a = await net.start('a.test')
    const b = await net.start('b.test')
    const ada = await person(a, 'ada')
    const ben = await person(b, 'ben')
    const room = await conversation(ada, ben)
    await say(ada, room, 'hello')
    await until(async () => (await texts(ben, room)).includes('hello'))
    await say(ben, room, 'hello yourself')
    await until(async () => (await texts(ada, room)).includes('hello yourself'))
    await until(async () => (await messages(ada, room))[0]?.delivery === 'delivered')
    expect((await messages(ada, room))[0]?.deliveredTo).toEqual(['BEN'])
    expect(await texts(ben, room)).toEqual(['hello', 'hello yourself'])
    // Who looks at it sees that the other writes, and no longer once it is said.
    ben.engine.watch(room)
    const seen = () =>
      ben.changes.flatMap((change) => (change.kind === 'typing' ? [change.names.join()] : []))
    ada.engine.setTyping(true)
    await until(async () => {
      await ada.engine.writing(room, true)
      await ada.engine.writing(room, false)
      return seen().includes('ADA')
    })
    await say(ada, room, 'and so on')
    await until(() => seen().at(-1) === '')
  })

  it('are told who cannot be found, and of whom it cannot be known', async () => {
    const ada = await person(await net.start('a.test'), 'ada')
    const ben = await person(await net.start('b.test'), 'ben')
    const code = (who: string) =>
      ada.engine.lookUp(who).catch((error: unknown) => (error as { code: string }).code)
    await until(async () => (await code('@nobody:b.test')) === 'unknown_user')
    expect(await code('@ben:c.test')).toBe('peer_unreachable')
    expect(await code('ada')).toBe('yourself')
    // Having been looked up makes nobody an acquaintance.
    for (let time = 0; time < 2; time++)
      expect(await code('ben@b.test')).toMatchObject({ userId: '@ben:b.test', known: false })
    await conversation(ada, ben)
    expect(await code('@ben:b.test')).toMatchObject({ known: true })
  })

  it('lose nothing when one node is killed and comes back in the middle', async () => {
    const a = await net.start('a.test')
    const b = await net.startProcess('b.test')
    const ada = await person(a, 'ada')
    const ben = await person(b, 'ben')
    const room = await conversation(ada, ben)
    await say(ada, room, 'before')
    await until(async () => (await texts(ben, room)).includes('before'))
    const sent = ['before']
    // Words in both directions, with the node going away under them.
    await say(ben, room, 'going')
    sent.push('going')
    await b.stop()
    for (const text of ['are you there?', 'hello?']) {
      await say(ada, room, text)
      sent.push(text)
    }
    await until(async () =>
      (await messages(ada, room)).every(({ delivery }) => delivery !== 'sending'),
    )
    // Who looks at the conversation is told for whom it waits.
    ada.engine.watch(room)
    const silent = async () => (await ada.engine.details(room)).silentServers
    await until(async () => (await silent()).join() === 'b.test')
    await say(ben, room, 'I was away')
    sent.push('I was away')
    await net.startProcess('b.test')
    for (const user of [ada, ben])
      await until(async () => (await texts(user, room)).length === sent.length, 120_000)
    await until(async () => (await silent()).length === 0, 30_000)
    await say(ada, room, 'welcome back')
    sent.push('welcome back')
    for (const user of [ada, ben]) {
      await until(async () => (await texts(user, room)).includes('welcome back'))
      expect([...(await texts(user, room))].sort()).toEqual([...sent].sort())
    }
  })

  it('ask at a door and are let in, turned away, kept out and taken back', async () => {
    const ada = await person(await net.start('a.test'), 'ada')
    const ben = await person(await net.start('b.test'), 'ben')
    const { room } = await ada.engine.createGroup({
      name: 'Garden',
      topic: '',
      historyVisibility: 'joined',
      invite: [],
    })
    // What one may do in it is known once the node has told of it.
    await until(async () => (await ada.engine.details(room)).members.length === 1)
    const link = await ada.engine.roomLink(room)
    await expect(ben.engine.lookUpRoom(link)).rejects.toMatchObject({ code: 'unknown_room' })
    await ada.engine.setJoinRule(room, 'knock')
    const found = { room, name: 'Garden', server: 'a.test', joinRule: 'knock', standing: 'none' }
    expect(await ben.engine.lookUpRoom(link)).toMatchObject(found)
    expect(ben.engine.roomList()).toEqual([])

    const seen = () => ben.engine.roomList().find(({ id }) => id === room)
    const asks = () => ada.engine.roomList()[0]?.asking ?? 0
    const ask = async () => {
      expect(await ben.engine.enter(link)).toEqual({ room, joined: false })
      await until(() => seen()?.membership === 'knock')
      expect(seen()).toMatchObject({ name: 'Garden', ended: null })
      await until(() => asks() === 1)
    }
    await ask()
    expect((await ben.engine.lookUpRoom(link)).standing).toBe('knock')
    await ben.engine.withdrawKnock(room)
    await until(() => seen() === undefined && asks() === 0)

    await ask()
    const who = ben.engine.account
    const mayDo = async () =>
      (await ada.engine.details(room)).members.find(({ id }) => id === who)?.can
    expect(await mayDo()).toMatchObject({ letIn: true, ban: true, remove: false, unban: false })
    await ada.engine.answerKnock(room, who, false)
    await until(() => seen()?.ended?.how === 'declined')
    expect(seen()?.membership).toBe('leave')
    await ask()
    await ada.engine.answerKnock(room, who, true)
    await until(() => seen()?.membership === 'invite')
    await ben.engine.accept(room)
    await until(() => ada.engine.roomList()[0]?.memberCount === 2)
    await say(ada, room, 'welcome')
    await until(async () => (await texts(ben, room)).includes('welcome'))

    await ada.engine.ban(room, who, 'Too many seeds')
    const ended = { how: 'banned', by: 'ADA', reason: 'Too many seeds' }
    await until(() => seen()?.ended?.how === 'banned')
    expect(seen()).toMatchObject({ membership: 'leave', ended })
    await expect(ben.engine.enter(link)).rejects.toMatchObject({ code: 'not_allowed' })
    expect(await mayDo()).toMatchObject({ unban: true, ban: false })
    await ada.engine.unban(room, who)
    await until(() => seen()?.ended?.how === 'allowed')

    await ada.engine.setJoinRule(room, 'public')
    expect(await ben.engine.enter(link)).toEqual({ room, joined: true })
    await until(() => ada.engine.roomList()[0]?.memberCount === 2)
    await say(ada, room, 'once more')
    await until(async () => (await texts(ben, room)).includes('once more'))
    await ada.engine.removeMember(room, who, '')
    await until(() => seen()?.ended?.how === 'removed')
    await ben.engine.forget(room)
    await until(() => seen() === undefined)
    const told = (await ada.engine.page(room, null, 200)).items.flatMap((item) =>
      item.kind === 'notice' ? [item.notice.what] : [],
    )
    const expected = ['join_rule', 'knocked', 'knock_withdrawn', 'knock_declined', 'banned']
    expect(told).toEqual(expect.arrayContaining([...expected, 'unbanned', 'removed']))
  })

  it('read what came around by a third node, and forget with it what resolution takes back', async () => {
    const homes = [await net.start('a.test'), await net.start('b.test'), await net.start('c.test')]
    const [ada, bea, cem] = await Promise.all(
      ['ada', 'bea', 'cem'].map((name, index) => person(homes[index] as Member, name)),
    )
    if (ada === undefined || bea === undefined || cem === undefined) throw new Error('nobody')
    const { room } = await ada.engine.createGroup({
      name: 'Three',
      topic: '',
      historyVisibility: 'joined',
      invite: ['@bea:b.test', '@cem:c.test'],
    })
    for (const guest of [bea, cem]) {
      await until(() => guest.engine.roomList().some(({ id }) => id === room))
      await guest.engine.accept(room)
    }
    for (const one of [ada, bea, cem])
      await until(() =>
        one.engine.roomList().some(({ id, memberCount }) => id === room && memberCount === 3),
      )
    net.cut('a.test', 'c.test')
    await say(ada, room, 'around')
    await until(async () => (await texts(bea, room)).includes('around'))
    await say(bea, room, 'straight')
    await until(async () => (await texts(cem, room)).includes('straight'))
    expect(await texts(cem, room)).toEqual(['<waiting_for_key>', 'straight'])
    net.heal()
    await until(async () => (await texts(cem, room)).includes('around'))
    expect(await texts(cem, room)).toEqual(['around', 'straight'])

    // Bea, whom Ada removes meanwhile, brings in somebody: nothing that is told takes this back.
    const dan = await person(homes[1] as Member, 'dan')
    for (const other of ['b.test', 'c.test']) net.cut('a.test', other)
    await bea.engine.invite(room, '@dan:b.test')
    await until(() => dan.engine.roomList().some(({ id }) => id === room))
    await dan.engine.accept(room)
    await until(() => entry(cem, room)?.memberCount === 4, 120_000)
    await ada.engine.removeMember(room, bea.engine.account, '')
    await until(() => entry(ada, room)?.memberCount === 2)
    net.heal()
    await until(() => entry(cem, room)?.memberCount === 2, 120_000)
    await until(() => entry(dan, room)?.membership === 'leave', 120_000)
    await say(cem, room, 'just us')
    await until(async () => (await texts(ada, room)).includes('just us'), 120_000)
  })
})

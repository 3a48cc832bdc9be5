import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startNode } from './testing/start-node.ts'
import type { TestNode } from './testing/start-node.ts'
import { EngineError } from '../src-shared/client/index.ts'
import { MemoryStore } from '../src-shared/client/testing/memory-store.ts'
import {
  conversation,
  messages,
  newUser,
  opened,
  reopened,
  say,
  texts,
  until,
} from './testing/engine-users.ts'
import type { TestUser } from './testing/engine-users.ts'
import { Ledger, Life } from './testing/crashing.ts'
import type { Boundary } from './testing/crashing.ts'

vi.setConfig({ testTimeout: 900_000 })

let node: TestNode
beforeAll(async () => {
  node = await startNode()
})
afterAll(() => node.stop())

/** A person whose machine crashes and comes back. */
class Mortal {
  readonly ledger = new Ledger()
  life = new Life(this.ledger)
  user!: TestUser
  deaths = 0

  async born(name: string): Promise<void> {
    this.user = await newUser(node, name, { transport: this.life.wrap })
    this.life.bear(this.user.store)
  }

  /** Dies while the account is being made, and is born again from what was stored. */
  async bornAgain(name: string, boundary: Boundary): Promise<boolean> {
    const store = new MemoryStore()
    this.life.bear(store)
    this.life.plan(boundary)
    const died = await Promise.race([
      newUser(node, name, { transport: this.life.wrap, store }).then((user) => {
        this.user = user
        return false
      }),
      until(() => this.life.dead, 300_000).then(() => true),
    ])
    this.life.unplan()
    if (!died && !this.life.dead) return false
    this.deaths++
    this.life = new Life(this.ledger)
    const kept = store.reopen()
    this.life.bear(kept)
    const options = { transport: this.life.wrap, store: kept }
    this.user = await opened(node, name, options).catch((error: unknown) => {
      if (!(error instanceof EngineError) || error.code !== 'no_account') throw error
      return newUser(node, name, options)
    })
    return true
  }

  /** Does it, and again in a new life after a crash; the caller's actions must bear repeating. */
  async survive(boundary: Boundary, action: (user: TestUser) => Promise<void>): Promise<boolean> {
    this.life.plan(boundary)
    const died = await Promise.race([
      action(this.user).then(() => false),
      until(() => this.life.dead, 300_000).then(() => true),
    ])
    if (!died && !this.life.dead) {
      this.life.unplan()
      return false
    }
    this.deaths++
    void this.user.engine.stop()
    this.life = new Life(this.ledger)
    this.user = await reopened(node, this.user, { transport: this.life.wrap })
    this.life.bear(this.user.store)
    await action(this.user)
    return true
  }
}

async function bothSee(a: TestUser, b: TestUser, room: string, sent: string): Promise<void> {
  for (const user of [a, b]) await until(async () => (await texts(user, room)).includes(sent))
}

/** Spread over all boundaries, a different share each time; all of them with `ECCP_LONG`. */
const STRIDE = process.env['ECCP_LONG'] === undefined ? 4 : 1
const OFFSET = Math.floor(Math.random() * STRIDE)

describe('a crash at every commit and every request', () => {
  it('of a conversation loses nothing, doubles nothing and uses no key twice', async () => {
    const ada = new Mortal()
    await ada.born('ada')
    const ben = await newUser(node, 'ben')
    const room = await conversation(ada.user, ben)
    const sent: string[] = []
    let round = 0
    const kinds = [
      { at: 'commit', when: 'before' },
      { at: 'commit', when: 'after' },
      { at: 'request', when: 'before' },
      { at: 'request', when: 'after' },
    ] as const
    for (const kind of kinds)
      for (let count = 0; ; count++) {
        const mine = `ada ${String(round)}`
        const theirs = `ben ${String(round)}`
        const edited = `edited ${String(round)}`
        round++
        const died = await ada.survive({ ...kind, count }, async (user) => {
          if (!(await texts(ben, room)).includes(theirs)) await say(ben, room, theirs)
          await say(user, room, mine)
          await until(async () =>
            (await messages(user, room)).some(
              ({ text, delivery }) =>
                (text === mine || text === edited) && delivery === 'delivered',
            ),
          )
          const item = (await messages(user, room)).find(({ text }) => text === mine)
          const envelope = item?.envelope ?? null
          if (envelope !== null) await user.engine.edit(room, envelope, edited)
          await until(() => user.engine.view().queuedMessages === 0)
          await bothSee(user, ben, room, edited)
          await bothSee(user, ben, room, theirs)
        })
        sent.push(edited, theirs)
        if (!died) break
      }
    expect(ada.deaths).toBeGreaterThan(20)
    expect(ada.ledger.violations).toEqual([])
    for (const user of [ada.user, ben])
      expect([...(await texts(user, room))].sort()).toEqual([...sent].sort())
    expect(await texts(ada.user, room)).toEqual(await texts(ben, room))
    await ada.user.engine.stop()
    await ben.engine.stop()
  })

  it('of making an account leaves one account, whose keys are kept', async () => {
    let made = 0
    for (const at of ['commit', 'request'] as const)
      for (const when of ['before', 'after'] as const)
        for (let count = 0; count < 3; count++) {
          const person = new Mortal()
          const name = `person${String(made++)}`
          const died = await person.bornAgain(name, { at, when, count })
          await until(() => person.user.engine.view().connection.state === 'online')
          expect(person.user.engine.view()).toMatchObject({
            state: 'ready',
            userId: `@${name}:node.test`,
          })
          expect((await person.user.engine.devices()).length).toBe(1)
          await person.user.engine.stop()
          if (!died) break
        }
    expect(made).toBeGreaterThan(6)
  })

  it('of starting a conversation ends in that conversation', async () => {
    const kinds = [
      { at: 'commit', when: 'before' },
      { at: 'commit', when: 'after' },
      { at: 'request', when: 'before' },
      { at: 'request', when: 'after' },
    ] as const
    let round = 0
    for (const kind of kinds)
      for (let count = OFFSET; ; count += STRIDE) {
        const tag = `${kind.at[0] ?? ''}${kind.when[0] ?? ''}${String(round++)}`
        const cleo = new Mortal()
        await cleo.born(`cleo${tag}`)
        const dan = await newUser(node, `dan${tag}`)
        const died = await cleo.survive({ ...kind, count }, async (user) => {
          const { room } = await user.engine.startDirect(dan.name)
          await say(user, room, 'hello')
          await until(() => dan.engine.roomList().some(({ id }) => id === room))
          if (dan.engine.roomList().find(({ id }) => id === room)?.membership === 'invite')
            await dan.engine.accept(room)
          await bothSee(user, dan, room, 'hello')
          await say(dan, room, 'hello cleo')
          await bothSee(user, dan, room, 'hello cleo')
        })
        const [room] = dan.engine.roomList()
        expect(dan.engine.roomList().length).toBe(1)
        expect(await texts(dan, room?.id ?? '')).toEqual(['hello', 'hello cleo'])
        expect(await texts(cleo.user, room?.id ?? '')).toEqual(['hello', 'hello cleo'])
        expect(cleo.ledger.violations).toEqual([])
        await cleo.user.engine.stop()
        await dan.engine.stop()
        if (!died) break
      }
    expect(round).toBeGreaterThan(8)
  })
})

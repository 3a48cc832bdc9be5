import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startNode } from './testing/start-node.ts'
import type { TestNode } from './testing/start-node.ts'
import {
  conversation,
  messages,
  newUser,
  reopened,
  say,
  texts,
  until,
} from './testing/engine-users.ts'
import type { TestUser } from './testing/engine-users.ts'
import { Ledger, Life } from './testing/crashing.ts'
import type { Boundary } from './testing/crashing.ts'

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

  /** Does it, and again in a new life after a crash; the caller's actions must bear repeating. */
  async survive(boundary: Boundary, action: (user: TestUser) => Promise<void>): Promise<boolean> {
    this.life.plan(boundary)
    const died = await Promise.race([
      action(this.user).then(() => false),
      until(() => this.life.dead, 30_000).then(() => true),
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
  for (const user of [a, b])
    await until(async () => (await texts(user, room)).includes(sent), 20_000)
}

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
          await until(
            async () =>
              (await messages(user, room)).some(
                ({ text, delivery }) =>
                  (text === mine || text === edited) && delivery === 'delivered',
              ),
            20_000,
          )
          const item = (await messages(user, room)).find(({ text }) => text === mine)
          if (item?.envelope != null) await user.engine.edit(room, item.envelope, edited)
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
  }, 300_000)
})

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startNode } from './testing/start-node.ts'
import type { TestNode } from './testing/start-node.ts'
import { conversation, messages, pairOfUsers, say, texts, until } from './testing/engine-users.ts'
import type { TestUser } from './testing/engine-users.ts'

let node: TestNode
let users: readonly TestUser[]

beforeEach(async () => {
  node = await startNode()
  users = []
})
afterEach(async () => {
  await Promise.all(users.map(({ engine }) => engine.stop()))
  await node.stop()
})

describe('two people', () => {
  it('talk, and each sees that the other has it', async () => {
    const [ada, ben] = await pairOfUsers(node)
    users = [ada, ben]
    const room = await conversation(ada, ben)
    await say(ada, room, 'hello')
    await until(async () => (await texts(ben, room)).includes('hello'))
    await say(ben, room, 'hello yourself')
    await until(async () => (await texts(ada, room)).includes('hello yourself'))
    await until(async () => (await messages(ada, room))[0]?.delivery === 'delivered')
    expect(await texts(ada, room)).toEqual(['hello', 'hello yourself'])
    expect(await texts(ben, room)).toEqual(['hello', 'hello yourself'])
  })
})

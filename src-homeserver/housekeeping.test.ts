import { afterEach, describe, expect, it } from 'vitest'
import { inviteBody, joinBody } from '../src-shared/protocol/index.ts'
import { tidy } from './housekeeping.ts'
import { startNode } from './testing/start-node.ts'
import type { TestNode } from './testing/start-node.ts'
import { fakeWrap, register } from './testing/test-device.ts'

const DAY = 24 * 60 * 60 * 1000
let node: TestNode | undefined
afterEach(() => node?.stop())

describe('housekeeping', () => {
  it('lets go of wraps nobody fetched after three months, and keeps younger ones', async () => {
    let now = Date.now()
    node = await startNode({ world: { now: () => now } })
    const alice = await register(node, 'alice')
    const bob = await register(node, 'bob')
    const room = await alice.createRoom([inviteBody(bob.member, bob.userId)])
    await bob.setState(room, joinBody(bob.member, bob.userId))
    const wrap = () => fakeWrap({ member: bob.member, device: bob.id })
    await alice.say(room, 'old', [wrap()])
    now += 60 * DAY
    await alice.say(room, 'young', [wrap()])
    const wraps = async () => {
      const timeline = (await bob.sync()).rooms[room]?.timeline ?? []
      return timeline.slice(-2).map((entry) => entry.wrap !== undefined)
    }
    await tidy(node.context)
    expect(await wraps()).toEqual([true, true])
    now += 60 * DAY
    await tidy(node.context)
    expect(await wraps()).toEqual([false, true])
  })
})

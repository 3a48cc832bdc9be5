import { afterEach, describe, expect, it } from 'vitest'
import { inviteBody, joinBody } from '../src-shared/protocol/index.ts'
import { tidy } from './housekeeping.ts'
import { startNode } from './testing/start-node.ts'
import type { TestNode } from './testing/start-node.ts'
import { fakeWrap, letIn, register, signIn } from '../conformance/device.ts'

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

  it('takes bodies away when their time has come, and nothing else of the event', async () => {
    let now = Date.now()
    node = await startNode({ world: { now: () => now } })
    const alice = await register(node, 'alice')
    const room = await alice.createRoom()
    const sealed = alice.sealMessage(room, await alice.state(room), 'short-lived', [], now + DAY)
    const { body } = await alice.submit(room, sealed)
    const stays = await alice.say(room, 'stays')
    const bodies = async () => {
      const { timeline = [] } = (await alice.sync()).rooms[room] ?? {}
      const ids = [body.envelope_id, stays.envelope_id]
      const shown = timeline.filter(({ pdu }) => ids.includes(pdu.event.envelope_id))
      return shown.map(({ pdu }) => pdu.body !== null)
    }
    await tidy(node.context)
    expect(await bodies()).toEqual([true, true])
    now += 2 * DAY
    await tidy(node.context)
    expect(await bodies()).toEqual([false, true])
  })

  it('forgets a device that nobody let in for a week', async () => {
    let now = Date.now()
    node = await startNode({ world: { now: () => now } })
    const alice = await register(node, 'alice')
    const second = await signIn(alice)
    now += 3 * DAY
    await tidy(node.context)
    expect((await second.call('whoami')).status).toBe(200)
    now += 5 * DAY
    await tidy(node.context)
    expect((await second.call('whoami')).body.errcode).toBe('M_UNKNOWN_TOKEN')
    expect((await alice.sync()).account.pending_devices).toEqual([])
  })

  it('keeps no feed for a device that never comes back; if it does, it starts anew', async () => {
    let now = Date.now()
    node = await startNode({ world: { now: () => now } })
    const alice = await register(node, 'alice')
    const second = await signIn(alice)
    await letIn(alice, second)
    const room = await alice.createRoom()
    const away = (await second.sync()).next
    now += 100 * DAY
    for (let round = 0; round < 3; round++) {
      await alice.say(room, 'still here')
      await alice.sync((await alice.sync()).next)
    }
    await tidy(node.context)
    expect((await second.call('sync', { query: { since: away } })).body.errcode).toBe(
      'E_SYNC_RESET',
    )
    expect(Object.keys((await second.sync()).rooms)).toEqual([room])
  })
})

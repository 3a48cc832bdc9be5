import { describe, expect, it } from 'vitest'
import type { AccountView, RoomSummary } from '../../view-model/index.ts'
import type { EngineChange } from '../engine-types.ts'
import { Publisher } from './publisher.ts'
import type { ViewSource } from './publisher.ts'

const summary = (id: string): RoomSummary => ({
  id,
  kind: 'direct',
  visibility: 'private',
  membership: 'join',
  name: id,
  topic: '',
  preview: null,
  lastActivity: 0,
  unread: 0,
  mentions: 0,
  memberCount: 2,
  inviter: null,
  hasDraft: false,
  leavingAt: null,
})

async function published(rooms: Map<string, RoomSummary>) {
  const source: ViewSource = {
    account: () => Promise.resolve({} as AccountView),
    room: (room) => Promise.resolve(rooms.get(room) ?? null),
    rooms: () => Promise.resolve([...rooms.values()]),
    alerts: () => Promise.resolve([]),
    pairings: () => Promise.resolve([]),
    item: (_room, { key }) =>
      Promise.resolve(
        key === 'gone' ? null : { kind: 'notice', key, time: 1, notice: { what: 'gap' } },
      ),
    roomsOf: () => Promise.resolve(['a']),
    senderName: () => Promise.resolve('Ada'),
  }
  const publish = new Publisher(() => undefined)
  await publish.open(source)
  const changes: EngineChange[] = []
  publish.subscribe((change) => changes.push(change))
  return { publish, changes }
}

describe('telling what changed', () => {
  it('tells a burst once, and keeps the list for those who ask', async () => {
    const rooms = new Map([['a', summary('a')]])
    const { publish, changes } = await published(rooms)
    rooms.set('b', summary('b'))
    rooms.delete('a')
    for (let turn = 0; turn < 5; turn++) for (const room of ['a', 'b']) publish.room(room)
    await publish.settled()
    expect(changes).toEqual([{ kind: 'rooms', changed: [summary('b')], removed: ['a'] }])
    expect(publish.summaries.map(({ id }) => id)).toEqual(['b'])
  })

  it('tells items of the watched room only', async () => {
    const { publish, changes } = await published(new Map())
    publish.item('a', 'k1')
    publish.watch('a')
    publish.item('a', 'k2')
    publish.item('a', 'gone')
    publish.item('b', 'k3')
    await publish.settled()
    expect(changes).toMatchObject([
      { kind: 'timeline', room: 'a', upserts: [{ key: 'k2' }], removed: ['gone'], reset: false },
    ])
  })

  it('tells new items in the order of the timeline, whatever was touched before', async () => {
    const { publish, changes } = await published(new Map())
    publish.watch('a')
    publish.item('a', 'mine')
    publish.newItem('a', 'theirs', 'e1')
    publish.newItem('a', 'mine', 'e2')
    await publish.settled()
    // The first of two is being told when the other, put before it, arrives together with it.
    publish.item('a', 'mine again')
    await Promise.resolve()
    publish.newItem('a', 'theirs again', 'e3')
    publish.newItem('a', 'mine again', 'e4')
    await publish.settled()
    const told = changes.flatMap((change) => (change.kind === 'timeline' ? change.upserts : []))
    expect(told.map(({ key }) => key)).toEqual(['theirs', 'mine', 'theirs again', 'mine again'])
  })

  it('asks to load anew where too much changed, or somebody’s name', async () => {
    const { publish, changes } = await published(new Map())
    publish.watch('a')
    for (let count = 0; count < 300; count++) publish.item('a', String(count))
    await publish.settled()
    publish.member('ada')
    await publish.settled()
    const resets = changes.filter((change) => change.kind === 'timeline' && change.reset)
    expect(resets.length).toBe(2)
  })

  it('goes on after a view that could not be built', async () => {
    const rooms = new Map([['a', summary('a')]])
    const { publish, changes } = await published(rooms)
    const broken = rooms.get.bind(rooms)
    let fail = true
    rooms.get = (room) => {
      if (fail) throw new RangeError('broken')
      return broken(room)
    }
    publish.room('a')
    await publish.settled()
    fail = false
    publish.room('a')
    await publish.settled()
    expect(changes.map(({ kind }) => kind)).toEqual(['rooms'])
  })
})

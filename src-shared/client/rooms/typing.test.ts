import { describe, expect, it } from 'vitest'
import { formatRoomId, toBase64Url } from '../../protocol/index.ts'
import { Contacts } from '../devices/contacts.ts'
import { Timeline } from '../timeline/timeline.ts'
import { bench } from '../testing/bench.ts'
import { OriginKeyBook } from './origin-keys.ts'
import { newRoomEntry, RoomList } from './room-list.ts'
import type { RoomEntry } from './room-records.ts'
import { RoomStates } from './room-states.ts'
import { TypingNotices } from './typing.ts'

async function writer(more: Partial<RoomEntry> = {}) {
  const { ctx, node, clock } = bench()
  const rooms = new RoomList(ctx.publish)
  const states = new RoomStates(ctx, new OriginKeyBook(ctx), new Timeline(ctx, rooms))
  const typing = new TypingNotices(ctx, { contacts: new Contacts(ctx), rooms, states })
  const room = formatRoomId(toBase64Url(ctx.random(32)), 'a.test')
  const fields = { id: room, kind: 'group', visibility: 'private', membership: 'join' } as const
  await ctx.db.step('room', (step) =>
    rooms.put(step, newRoomEntry({ ...fields, memberCount: 2, ...more })),
  )
  const said: number[] = []
  node.on('typing', ({ body }) => {
    said.push((body as { timeout: number }).timeout)
    return {}
  })
  typing.isOn = true
  return { typing, room, said, clock, node }
}

describe('saying that one writes', () => {
  it('is done now and then while it lasts, and when it ends', async () => {
    const { typing, room, said, clock } = await writer()
    await typing.write(room, true)
    await typing.write(room, true)
    expect(said).toEqual([20_000])
    await clock.advance(9_000)
    await typing.write(room, true)
    await typing.write(room, false)
    await typing.write(room, false)
    expect(said).toEqual([20_000, 20_000, 0])
  })

  it('is not done where the user does not want it, nobody is there, or the room hides it', async () => {
    for (const more of [
      { visibility: 'shadow' },
      { memberCount: 1 },
      { membership: 'leave' },
    ] as const) {
      const { typing, room, said } = await writer(more)
      await typing.write(room, true)
      expect(said).toEqual([])
    }
    const { typing, room, said } = await writer()
    typing.isOn = false
    await typing.write(room, true)
    expect(said).toEqual([])
  })
})

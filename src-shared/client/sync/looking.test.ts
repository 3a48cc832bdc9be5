import { describe, expect, it } from 'vitest'
import type { SyncResponse } from '../../api/index.ts'
import { formatRoomId, toBase64Url } from '../../protocol/index.ts'
import { newRoomEntry, RoomList } from '../rooms/room-list.ts'
import type { RoomEntry } from '../rooms/room-records.ts'
import { bench } from '../testing/bench.ts'
import { Looking } from './looking.ts'

function looking() {
  const { ctx } = bench()
  const list = new RoomList(ctx.publish)
  const looking = new Looking(ctx, list)
  const room = (): string => formatRoomId(toBase64Url(ctx.random(32)), 'a.test')
  return {
    looking,
    room,
    async know(id: string, more: Partial<RoomEntry> = {}): Promise<void> {
      const fields = { kind: 'group', visibility: 'private', membership: 'join' } as const
      await ctx.db.step('room', (step) => list.put(step, newRoomEntry({ id, ...fields, ...more })))
    },
    /** What the node says of the list; whether it makes for another look. */
    took: (rooms: string[], count: number | undefined, quiet: boolean): Promise<boolean> =>
      looking.took(
        {
          lists: {
            top: {
              ...(count === undefined ? {} : { count }),
              ops: [{ op: 'range', first: 0, rooms }],
            },
          },
        } as unknown as SyncResponse,
        quiet,
      ),
  }
}

const pieces = ({ lists }: { lists?: object | undefined }): string => JSON.stringify(lists)

describe('what is looked at', () => {
  it('begins with the top of the list', () => {
    const { look } = looking().looking
    expect(look).toEqual({ lists: { top: { ranges: [[0, 39]], timeline: 20 } } })
  })

  it('passes over the rest of the list once, piece by piece, as it becomes quiet', async () => {
    const { looking: one, took } = looking()
    expect(await took([], 250, false)).toBe(false)
    const ranges: string[] = []
    for (let turn = 0; turn < 4; turn++) {
      expect(await took([], undefined, true)).toBe(true)
      ranges.push(pieces(one.look).replace(/^.*"rest":/, ''))
    }
    expect(ranges.slice(0, 3)).toEqual(
      [
        [40, 139],
        [140, 239],
        [240, 339],
      ].map((range) => `{"ranges":[[${range.join()}]],"timeline":5}}`),
    )
    expect(ranges[3]).toBe('{"top":{"ranges":[[0,39]],"timeline":20}}')
    expect(await took([], undefined, true)).toBe(false)
  })

  it('does not pass over what is known already', async () => {
    const { took, know, room } = looking()
    for (let index = 0; index < 50; index++) await know(room())
    // One that is over, and one that the node does not know yet, are not in its list.
    await know(room(), { membership: 'leave' })
    await know(room(), { creating: true })
    expect(await took([], 50, true)).toBe(false)
  })

  it('follows the open room where no window shows it, or something of it was passed over', async () => {
    const { looking: one, took, know, room } = looking()
    const [shown, hidden, behind] = [room(), room(), room()]
    for (const id of [shown, hidden]) await know(id)
    await know(behind, { behind: true })
    await took([shown, behind], 3, false)
    for (const [id, followed] of [
      [shown, false],
      [hidden, true],
      [behind, true],
      [room(), false],
    ] as const) {
      await one.open(id)
      expect(Object.keys(one.look.rooms ?? {})).toEqual(followed ? [id] : [])
    }
    expect(await one.open(null)).toBe(false)
  })

  it('goes on with the open room as it slips out of the window', async () => {
    const { looking: one, took, know, room } = looking()
    const id = room()
    await know(id)
    await took([id], 60, false)
    await one.open(id)
    expect(one.look.rooms).toBeUndefined()
    expect(await took([room()], undefined, false)).toBe(true)
    expect(one.look.rooms).toEqual({ [id]: { timeline: 20 } })
  })

  it('asks who writes in the open room, where one is in it and it hides nothing', async () => {
    const { looking: one, know, room } = looking()
    const [open, invited, shadow] = [room(), room(), room()]
    await know(open)
    await know(invited, { membership: 'invite' })
    await know(shadow, { visibility: 'shadow' })
    expect(await one.open(open)).toBe(true)
    expect(one.look.typing).toEqual([open])
    for (const id of [invited, shadow, null]) {
      await one.open(id)
      expect(one.look.typing).toBeUndefined()
    }
  })
})

import { describe, expect, it } from 'vitest'
import { previewText } from '../rooms/preview.ts'
import { room } from '../testing/fake-people.ts'
import { endingText } from '../text/endings.ts'
import { arrangeRooms, matches, neighbourRoom } from './rooms.ts'
import { initialState } from './state.ts'

const rooms = Object.fromEntries(
  [
    room('old', 'Žofie', { lastActivity: 1 }),
    room('new', 'Garden', { lastActivity: 3 }),
    room('ask', 'Choir', { lastActivity: 2, membership: 'invite' }),
    room('gone', 'Left', { lastActivity: 9, membership: 'leave' }),
  ].map((each) => [each.id, each]),
)
const ids = (list: readonly { id: string }[]): string[] => list.map(({ id }) => id)

describe('the room list', () => {
  it('keeps invitations apart and orders rooms by latest activity', () => {
    const { invitations, joined } = arrangeRooms(rooms, '')
    expect(ids(invitations)).toEqual(['ask'])
    expect(ids(joined)).toEqual(['new', 'old'])
  })

  it('keeps what one waits for, and what somebody else has ended, until it is put away', () => {
    const ended = { how: 'banned', by: 'Ada', reason: null } as const
    const more = Object.fromEntries(
      [
        room('out', 'Walks', { lastActivity: 8, membership: 'leave', ended }),
        room('door', 'Chess', { lastActivity: 7, membership: 'knock' }),
      ].map((each) => [each.id, each]),
    )
    expect(ids(arrangeRooms({ ...rooms, ...more }, '').joined)).toEqual([
      'out',
      'door',
      'new',
      'old',
    ])
    expect(previewText(more['door'] ?? room('', ''))).toBe('Waiting to be let in')
    expect(previewText(room('', '', { asking: 2 }))).toBe('2 people ask to join')
  })

  it('says how it ended, by whom and why, as far as that is known', () => {
    const how = (by: string | null, reason: string | null) =>
      endingText(room('', 'Walks', { membership: 'leave', ended: { how: 'banned', by, reason } }))
    expect(how('Ada', 'Puns')).toBe(
      'Ada banned you from Walks. You can’t come back until the ban is lifted. The reason given: “Puns”',
    )
    expect(how(null, null)).toBe(
      'You were banned from Walks and can’t come back until the ban is lifted.',
    )
  })

  it('finds names whatever their accents and case', () => {
    expect(ids(arrangeRooms(rooms, 'zofie').joined)).toEqual(['old'])
    expect(matches('elm gar', 'Garden on Elm Street')).toBe(true)
    expect(matches('elm choir', 'Garden on Elm Street')).toBe(false)
  })

  it('walks round in list order', () => {
    const at = (openRoom: string | null) => ({ ...initialState, rooms, openRoom })
    expect(neighbourRoom(at(null), 1)).toBe('ask')
    expect(neighbourRoom(at('ask'), 1)).toBe('new')
    expect(neighbourRoom(at('old'), 1)).toBe('ask')
    expect(neighbourRoom(at('ask'), -1)).toBe('old')
    expect(neighbourRoom({ ...initialState, rooms: {} }, 1)).toBeNull()
  })
})

import { describe, expect, it } from 'vitest'
import { room } from '../testing/fake-people.ts'
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

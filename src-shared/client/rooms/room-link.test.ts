import { describe, expect, it } from 'vitest'
import { parseRoomLink, roomLink } from './room-link.ts'

const room = `!${'A'.repeat(42)}E:a.test:8448`

describe('a link to a room', () => {
  it('leads back to the room and at most three of its servers', () => {
    const link = roomLink(room, ['b.test', 'c.test', 'd.test', 'e.test'])
    expect(parseRoomLink(` ${link}\n`)).toEqual({ room, via: ['b.test', 'c.test', 'd.test'] })
    expect(parseRoomLink(`eccp:room/${encodeURIComponent(room)}?via=b.test`).room).toBe(room)
  })

  it('asks the server in the room’s id where no other is named', () => {
    for (const text of [room, `eccp:room/${room}`, `eccp:room/${room}?via=`])
      expect(parseRoomLink(text)).toEqual({ room, via: ['a.test:8448'] })
  })

  it('is nothing else', () => {
    for (const text of ['', '!', '@ada:a.test', `eccp:invite/${room}`, 'eccp:room/x', '%'])
      expect(() => parseRoomLink(text)).toThrow('bad_input')
  })
})

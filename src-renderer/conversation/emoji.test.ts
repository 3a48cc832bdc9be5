import { describe, expect, it } from 'vitest'
import { loadEmoji, searchEmoji } from './emoji.ts'

describe('the emoji search', () => {
  it('finds by label and by tag, the best match first', async () => {
    const all = await loadEmoji()
    expect(searchEmoji(all, 'canoe')[0]?.sign).toBe('🛶')
    expect(searchEmoji(all, 'lol').map(({ sign }) => sign)).toContain('😂')
    expect(searchEmoji(all, 'no such thing')).toEqual([])
  })

  it('offers no bare skin tones', async () => {
    expect((await loadEmoji()).some(({ group }) => group === 2)).toBe(false)
  })
})

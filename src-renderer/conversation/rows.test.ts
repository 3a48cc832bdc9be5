import { describe, expect, it } from 'vitest'
import { message, minute, notice, people } from '../testing/fake-people.ts'
import { buildRows } from './rows.ts'

const noon = new Date(2030, 4, 3, 12).getTime()
const { mei, jonas } = people
const places = (rows: ReturnType<typeof buildRows>) =>
  rows.map(({ content }) => (content.kind === 'message' ? content.place : 'notice'))

describe('rows of a conversation', () => {
  it('groups what one person writes within five minutes', () => {
    const rows = buildRows(
      [
        message(mei, noon, '1'),
        message(mei, noon + minute, '2'),
        message(mei, noon + 2 * minute, '3'),
        message(mei, noon + 9 * minute, '4'),
        message(jonas, noon + 9 * minute, '5'),
      ],
      null,
    )
    expect(places(rows)).toEqual(['first', 'middle', 'last', 'single', 'single'])
  })

  it('starts anew after a notice, at the unread mark and on a new day', () => {
    const second = message(mei, noon + minute, '2')
    const rows = buildRows(
      [
        message(mei, noon, '1'),
        second,
        notice(noon + minute, { what: 'left', who: 'x' }),
        message(mei, noon + minute, '3'),
        message(mei, noon + 24 * 60 * minute, '4'),
      ],
      second.key,
    )
    expect(places(rows)).toEqual(['single', 'single', 'notice', 'single', 'single'])
    expect(rows.map((row) => row.day !== null)).toEqual([true, false, false, false, true])
    expect(rows.findIndex((row) => row.unread)).toBe(1)
  })

  it('keeps the key of every row when older messages come before it', () => {
    const items = [message(mei, noon, '1'), message(mei, noon + minute, '2')]
    const before = buildRows(items, null).map((row) => row.key)
    const after = buildRows([message(mei, noon - minute, '0'), ...items], null)
    expect(after.slice(1).map((row) => row.key)).toEqual(before)
  })
})

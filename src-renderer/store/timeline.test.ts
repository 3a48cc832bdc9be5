import { describe, expect, it } from 'vitest'
import { message, notice, people } from '../testing/fake-people.ts'
import {
  emptyTimeline,
  findUnread,
  mergeItems,
  withFirstPage,
  withOlderPage,
  withPush,
} from './timeline.ts'

const { mei } = people
const keys = (items: readonly { key: string }[]): string[] => items.map((item) => item.key)
const from = (key: string) => message(mei, 1_000, key, { key })
const mine = (key: string) => message('me', 1_000, key, { key })

describe('a timeline', () => {
  it('replaces items by key and appends new ones in the order given', () => {
    const merged = mergeItems(
      [from('a'), from('b')],
      [{ ...from('a'), text: 'edited' }, from('c'), from('d')],
    )
    expect(keys(merged)).toEqual(['a', 'b', 'c', 'd'])
    expect(merged[0]).toMatchObject({ text: 'edited' })
  })

  it('keeps what waits to be sent below what arrives, and then puts it where it came to stand', () => {
    const waiting = (key: string) => message('me', 1_000, key, { key, delivery: 'queued' })
    const offline = mergeItems([from('a')], [waiting('x'), waiting('y')])
    const back = mergeItems(offline, [from('b'), { ...waiting('x'), delivery: 'sending' }])
    expect(keys(back)).toEqual(['a', 'b', 'x', 'y'])
    const sent = mergeItems(back, [from('c'), { ...waiting('y'), delivery: 'sent' }, from('d')])
    expect(keys(sent)).toEqual(['a', 'b', 'c', 'y', 'd', 'x'])
  })

  it('forgets removed items even if the same push brings them', () => {
    expect(keys(mergeItems([from('a'), from('b')], [from('c')], ['b', 'c']))).toEqual(['a'])
  })

  it('counts only messages of others as unread', () => {
    const items = [
      from('a'),
      from('b'),
      mine('c'),
      notice(1, { what: 'left', who: 'x' }),
      from('d'),
    ]
    expect(findUnread(items, 2)).toEqual({ from: 'b', missing: 0 })
    expect(findUnread(items, 9)).toEqual({ from: 'a', missing: 6 })
    expect(findUnread(items, 0)).toEqual({ from: null, missing: 0 })
  })

  it('keeps what was pushed while the first page was on its way', () => {
    const page = { room: 'r', items: [from('a'), from('b')], older: 'p1' }
    const next = withFirstPage(emptyTimeline, page, [{ ...from('b'), text: 'newer' }, from('c')], 1)
    expect(keys(next.items)).toEqual(['a', 'b', 'c'])
    expect(next.items[1]).toMatchObject({ text: 'newer' })
    expect(next.unreadFrom).toBe('c')
  })

  it('finds the first unread message on an older page once that page is there', () => {
    const first = withFirstPage(
      emptyTimeline,
      { room: 'r', items: [from('c'), from('d')], older: 'p1' },
      [],
      3,
    )
    expect(first).toMatchObject({ unreadFrom: 'c', unreadMissing: 1 })
    const next = withOlderPage(first, { room: 'r', items: [from('a'), from('b')], older: null })
    expect(next).toMatchObject({ unreadFrom: 'b', unreadMissing: 0 })
    expect(keys(next.items)).toEqual(['a', 'b', 'c', 'd'])
  })

  it('puts the unread mark at the first message that arrives out of sight', () => {
    const held = { ...emptyTimeline, items: [from('a')], status: 'ready' as const }
    expect(withPush(held, [from('b')], [], false).unreadFrom).toBeNull()
    const away = withPush(held, [from('b')], [], true)
    expect(away.unreadFrom).toBe('b')
    expect(withPush(away, [from('c')], [], true).unreadFrom).toBe('b')
  })

  it('takes the unread mark away when the user writes', () => {
    const held = { ...emptyTimeline, items: [from('a')], unreadFrom: 'a' }
    expect(withPush(held, [mine('b')], [], false).unreadFrom).toBeNull()
  })
})

/**
 * Turns timeline items into the rows on screen: day headings, unread mark, grouping. Pure.
 * A row's key is its item's key and nothing else: the scroll anchor needs it to survive older pages
 * arriving above, which is why headings are part of a row instead of rows of their own.
 */
import type { MessageItem, NoticeItem, TimelineItem } from '../../src-shared/view-model/index.ts'
import { dayOf } from '../text/times.ts'

export type Place = 'single' | 'first' | 'middle' | 'last'
export interface Row {
  readonly key: string
  /** Set where a new day begins. */
  readonly day: number | null
  readonly unread: boolean
  readonly content:
    | { readonly kind: 'message'; readonly item: MessageItem; readonly place: Place }
    | { readonly kind: 'notice'; readonly item: NoticeItem }
}

/** Messages of one person closer than this stand together. */
const together = 5 * 60_000

function continues(before: TimelineItem | undefined, item: TimelineItem | undefined): boolean {
  return (
    before?.kind === 'message' &&
    item?.kind === 'message' &&
    before.sender === item.sender &&
    before.bridge?.sender === item.bridge?.sender &&
    Math.abs(item.time - before.time) < together &&
    dayOf(before.time) === dayOf(item.time)
  )
}

interface Made {
  readonly before: TimelineItem | undefined
  readonly after: TimelineItem | undefined
  readonly row: Row
}
/** Rows already made: with the same neighbours an item gives the same row, however long the list. */
const made = new WeakMap<TimelineItem, Made>()

export function buildRows(items: readonly TimelineItem[], unreadFrom: string | null): Row[] {
  return items.map((item, index) => {
    const before = items[index - 1]
    const after = items[index + 1]
    const marked = item.key === unreadFrom || after?.key === unreadFrom
    const known = made.get(item)
    if (!marked && known && known.before === before && known.after === after) return known.row
    const row = buildRow(item, before, after, unreadFrom)
    if (!marked) made.set(item, { before, after, row })
    return row
  })
}

function buildRow(
  item: TimelineItem,
  before: TimelineItem | undefined,
  after: TimelineItem | undefined,
  unreadFrom: string | null,
): Row {
  const day = !before || dayOf(before.time) !== dayOf(item.time) ? item.time : null
  const unread = item.key === unreadFrom
  if (item.kind === 'notice') {
    return { key: item.key, day, unread, content: { kind: 'notice', item } }
  }
  const joinsBefore = !unread && continues(before, item)
  const joinsAfter = after?.key !== unreadFrom && continues(item, after)
  const place = joinsBefore ? (joinsAfter ? 'middle' : 'last') : joinsAfter ? 'first' : 'single'
  return { key: item.key, day, unread, content: { kind: 'message', item, place } }
}

/** A guess of a row's height before it was measured; near enough that the scrollbar stays calm. */
export function estimateRow(row: Row, width: number, group: boolean): number {
  let height = (row.day === null ? 0 : 44) + (row.unread ? 36 : 0)
  if (row.content.kind === 'notice') return height + 30
  const { item, place } = row.content
  const perLine = Math.max(20, Math.min(width * 0.72, 580) / 7.4)
  let lines = 0
  for (let at = 0; at <= item.text.length;) {
    const end = item.text.indexOf('\n', at)
    const length = (end < 0 ? item.text.length : end) - at
    lines += Math.max(1, Math.ceil((length + 8) / perLine))
    if (end < 0) break
    at = end + 1
  }
  height += 16 + lines * 21.75
  if (place === 'single' || place === 'first') height += 10 + (group && !item.mine ? 19 : 0)
  else height += 3
  if (item.quote) height += 50
  if (item.reactions.length > 0) height += 30
  if (item.protection.state === 'unreadable') height += 40
  return height
}

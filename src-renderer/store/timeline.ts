/** Pure operations on a timeline: merging what main pushes, paging, the unread mark. */
import type { TimelineItem, TimelinePage } from '../../src-shared/view-model/index.ts'
import type { Timeline } from './state.ts'

export const emptyTimeline: Timeline = {
  items: [],
  older: null,
  status: 'loading',
  loadingOlder: false,
  unreadFrom: null,
  unreadMissing: 0,
  epoch: 0,
}

/** Not in the conversation's order yet: it stands below everything that is. */
const isWaiting = (item: TimelineItem): boolean =>
  item.kind === 'message' &&
  (item.delivery === 'queued' || item.delivery === 'sending' || item.delivery === 'failed')

/** Replaces items by key; new ones, and those that waited until now, go to the end in the order given. */
export function mergeItems(
  items: readonly TimelineItem[],
  upserts: readonly TimelineItem[],
  removed: readonly string[] = [],
): readonly TimelineItem[] {
  if (upserts.length === 0 && removed.length === 0) return items
  const changed = new Map(upserts.map((item) => [item.key, item]))
  const gone = new Set(removed)
  const merged: TimelineItem[] = []
  for (const item of items) {
    const replacement = changed.get(item.key)
    if (gone.has(item.key) || (replacement && isWaiting(item) && !isWaiting(replacement))) continue
    changed.delete(item.key)
    merged.push(replacement ?? item)
  }
  for (const item of changed.values()) if (!gone.has(item.key)) merged.push(item)
  return [...merged.filter((item) => !isWaiting(item)), ...merged.filter(isWaiting)]
}

const countsAsUnread = (item: TimelineItem): boolean => item.kind === 'message' && !item.mine

/** Where `unread` messages from others begin; `missing` of them lie before these items. */
export function findUnread(
  items: readonly TimelineItem[],
  unread: number,
): { from: string | null; missing: number } {
  if (unread <= 0) return { from: null, missing: 0 }
  let left = unread
  let from: string | null = null
  for (let index = items.length - 1; index >= 0 && left > 0; index--) {
    const item = items[index]
    if (!item || !countsAsUnread(item)) continue
    from = item.key
    left--
  }
  return { from, missing: left }
}

/** The newest page replaces everything; items pushed while it was on its way are kept. */
export function withFirstPage(
  timeline: Timeline,
  page: TimelinePage,
  pushed: readonly TimelineItem[],
  unread: number,
): Timeline {
  const items = mergeItems(page.items, pushed)
  const { from, missing } = findUnread(items, unread)
  return {
    items,
    older: page.older,
    status: 'ready',
    loadingOlder: false,
    unreadFrom: from,
    unreadMissing: page.older === null ? 0 : missing,
    epoch: timeline.epoch + 1,
  }
}

/** Puts an older page before what is there. */
export function withOlderPage(timeline: Timeline, page: TimelinePage): Timeline {
  const known = new Set(timeline.items.map((item) => item.key))
  const fresh = page.items.filter((item) => !known.has(item.key))
  const next: Timeline = {
    ...timeline,
    items: [...fresh, ...timeline.items],
    older: page.older,
    loadingOlder: false,
  }
  if (timeline.unreadMissing === 0) return next
  const { from, missing } = findUnread(fresh, timeline.unreadMissing)
  return {
    ...next,
    unreadFrom: from ?? timeline.unreadFrom,
    unreadMissing: page.older === null ? 0 : missing,
  }
}

/** Applies a push; `away` is true when the user can't see the end, so new items become unread. */
export function withPush(
  timeline: Timeline,
  upserts: readonly TimelineItem[],
  removed: readonly string[],
  away: boolean,
): Timeline {
  const items = mergeItems(timeline.items, upserts, removed)
  if (items === timeline.items) return timeline
  const known = new Set(timeline.items.map((item) => item.key))
  const added = items.filter((item) => !known.has(item.key))
  const ownArrived = added.some((item) => item.kind === 'message' && item.mine)
  const firstNew = added.find(countsAsUnread)
  let unreadFrom = timeline.unreadFrom
  if (ownArrived) unreadFrom = null
  else if (away && unreadFrom === null && firstNew) unreadFrom = firstNew.key
  return { ...timeline, items, unreadFrom }
}

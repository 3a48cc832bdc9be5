/**
 * The scrolling list of messages: draws only what is near, keeps its place when older pages load
 * above, follows new messages while the end is on screen, and loads older ones before they are needed.
 */
import { useVirtualizer } from '@tanstack/react-virtual'
import { ArrowDown } from 'lucide-react'
import {
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  type KeyboardEvent,
} from 'react'
import type { RoomSummary } from '../../src-shared/view-model/index.ts'
import { Spinner } from '../design/Spinner.tsx'
import type { Timeline } from '../store/state.ts'
import { useApp, useCore, useNow } from '../store/react.ts'
import { noticeIsSerious, noticeText } from '../text/notices.ts'
import { t } from '../text/t.ts'
import { dayHeading, dayOf } from '../text/times.ts'
import { Beginning } from './Beginning.tsx'
import { MessageRow } from './MessageRow.tsx'
import { buildRows, estimateRow, type Row } from './rows.ts'

/** Room above the first row: the beginning of the room, or the sign that older messages load. */
const headRoom = 190
const nearEnd = 48
const loadAhead = 1_200
/** How long the day stays in sight after scrolling. */
const dayLingers = 1_200

export function MessageList({ room, timeline }: { room: RoomSummary; timeline: Timeline }) {
  const core = useCore()
  const scroller = useRef<HTMLDivElement>(null)
  // Kept aside: asking the page for it, once per row, would cost a layout each.
  const width = useRef(700)
  const details = useApp((state) => state.details[room.id])
  const now = useNow(60_000)
  const { items, unreadFrom, older } = timeline
  const rows = useMemo(() => buildRows(items, unreadFrom), [items, unreadFrom])
  const group = room.kind === 'group'
  const [away, setAway] = useState(false)
  const [lit, setLit] = useState<string | null>(null)
  const [scrolledTo, setScrolledTo] = useState<{ day: number; shown: boolean } | null>(null)
  const [tabStop, setTabStop] = useState<string | null>(null)

  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    getItemKey: (index) => rows[index]?.key ?? index,
    estimateSize: (index) => {
      const row = rows[index]
      return row ? estimateRow(row, width.current, group) : 60
    },
    overscan: 8,
    paddingStart: headRoom,
    paddingEnd: 12,
    scrollPaddingStart: 72,
    anchorTo: 'end',
    followOnAppend: true,
    scrollEndThreshold: nearEnd,
  })
  // A row above the view that changes its size (a day heading moved away) must not move the view.
  list.shouldAdjustScrollPositionOnItemSizeChange = (item, _delta, instance) =>
    item.start < (instance.scrollOffset ?? 0)

  /** The day of the topmost message, unless its own heading is in sight. */
  const dayAtTop = (): number | null => {
    const top = list.scrollOffset ?? 0
    const first = list.getVirtualItems().find((item) => item.end > top + 40)
    const row = first && rows[first.index]
    if (!row || (row.day !== null && first.start > top - 24)) return null
    return row.content.item.time
  }
  const topDay = useRef(dayAtTop)
  useEffect(() => {
    topDay.current = dayAtTop
  })

  const reportPlace = useCallback((): void => {
    const element = scroller.current
    if (!element) return
    const left = element.scrollHeight - element.scrollTop - element.clientHeight
    setAway(left > 240)
    core.conversation.setAtEnd(left < nearEnd && document.hasFocus())
    if (element.scrollTop < loadAhead) void core.conversation.loadOlder(room.id)
  }, [core, room.id])

  // Where to begin: at the first unread message, else at the end.
  const placed = useRef(-1)
  useLayoutEffect(() => {
    if (rows.length === 0 || placed.current === timeline.epoch) return
    placed.current = timeline.epoch
    const unreadAt = rows.findIndex((row) => row.unread)
    if (unreadAt >= 0) list.scrollToIndex(unreadAt, { align: 'start' })
    else list.scrollToEnd()
    const frame = requestAnimationFrame(reportPlace)
    return () => cancelAnimationFrame(frame)
  }, [rows, timeline.epoch, list, reportPlace])

  // Own messages bring the end into view; others' only if it was there.
  const lastItem = items[items.length - 1]
  const lastKey = lastItem?.key ?? null
  const lastMine = lastItem?.kind === 'message' && lastItem.mine
  const seenLast = useRef<string | null>(null)
  useLayoutEffect(() => {
    const before = seenLast.current
    seenLast.current = lastKey
    if (before !== null && lastKey !== null && before !== lastKey && lastMine) list.scrollToEnd()
  }, [lastKey, lastMine, list])

  useEffect(() => {
    const element = scroller.current
    if (!element) return
    // The composer grows and the window shrinks: what was at the end stays there.
    let wasAtEnd = true
    let lingering: ReturnType<typeof setTimeout> | undefined
    const hideDay = (): void => setScrolledTo((last) => last && { ...last, shown: false })
    const onScroll = (): void => {
      wasAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < nearEnd
      reportPlace()
      // Where new messages arrive, the day goes without saying.
      const time = wasAtEnd ? null : topDay.current()
      if (time === null) hideDay()
      else {
        const day = dayOf(time)
        setScrolledTo((last) => (last?.day === day && last.shown ? last : { day, shown: true }))
      }
      clearTimeout(lingering)
      lingering = setTimeout(hideDay, dayLingers)
    }
    let staying = 0
    // Rows of another width are measured anew over the next frames, and grow or shrink meanwhile.
    const stayAtEnd = (frames: number): void => {
      element.scrollTop = element.scrollHeight
      cancelAnimationFrame(staying)
      if (frames > 0) staying = requestAnimationFrame(() => stayAtEnd(frames - 1))
    }
    const letGo = (): void => cancelAnimationFrame(staying)
    const sizes = new ResizeObserver(() => {
      width.current = element.clientWidth
      if (wasAtEnd) stayAtEnd(12)
      reportPlace()
    })
    sizes.observe(element)
    element.addEventListener('scroll', onScroll, { passive: true })
    element.addEventListener('wheel', letGo, { passive: true })
    window.addEventListener('focus', reportPlace)
    window.addEventListener('blur', reportPlace)
    return () => {
      clearTimeout(lingering)
      letGo()
      sizes.disconnect()
      element.removeEventListener('wheel', letGo)
      element.removeEventListener('scroll', onScroll)
      window.removeEventListener('focus', reportPlace)
      window.removeEventListener('blur', reportPlace)
    }
  }, [reportPlace])

  const jumpTo = useCallback(
    async (envelope: string): Promise<void> => {
      for (let tries = 0; tries < 12; tries++) {
        const held = core.store.getState().timelines[room.id]
        const index = (held?.items ?? []).findIndex(
          (item) => item.kind === 'message' && item.envelope === envelope,
        )
        const item = held?.items[index]
        if (item) {
          // The rows of a page that has just arrived exist after the next paint.
          requestAnimationFrame(() => {
            list.scrollToIndex(index, { align: 'center' })
            setLit(item.key)
            setTimeout(() => setLit(null), 1_600)
          })
          return
        }
        if (!held || held.older === null) return
        await core.conversation.loadOlder(room.id)
      }
    },
    [core, list, room.id],
  )
  const onJump = useCallback((envelope: string) => void jumpTo(envelope), [jumpTo])

  function walk(event: KeyboardEvent): void {
    const element = (event.target as HTMLElement).closest<HTMLElement>('[data-message]')
    const step = event.key === 'ArrowUp' ? -1 : event.key === 'ArrowDown' ? 1 : 0
    if (!element || event.target !== element || step === 0 || event.altKey) return
    event.preventDefault()
    let index = rows.findIndex((row) => row.key === element.dataset['message']) + step
    while (rows[index] && rows[index]?.content.kind !== 'message') index += step
    const next = rows[index]
    if (!next) return
    setTabStop(next.key)
    list.scrollToIndex(index, { align: 'auto' })
    requestAnimationFrame(() =>
      scroller.current
        ?.querySelector<HTMLElement>(`[data-message="${CSS.escape(next.key)}"]`)
        ?.focus(),
    )
  }

  const unreadAt = unreadFrom === null ? -1 : items.findIndex((item) => item.key === unreadFrom)
  const fresh =
    unreadAt < 0
      ? 0
      : items.slice(unreadAt).filter((item) => item.kind === 'message' && !item.mine).length
  const jumpLabel =
    fresh > 0 ? t('conversation.jumpUnread', { count: fresh }) : t('conversation.jump')
  const canSend = (details?.can.send ?? true) && room.membership === 'join'
  const lastMessage = rows.findLast((row) => row.content.kind === 'message')?.key ?? null
  const stop = tabStop !== null && rows.some((row) => row.key === tabStop) ? tabStop : lastMessage

  function drawRow(row: Row) {
    return (
      <>
        {row.day !== null ? (
          <div role="listitem" className="day">
            <span>{dayHeading(row.day, now)}</span>
          </div>
        ) : null}
        {row.unread ? (
          <div role="listitem" className="unread-mark">
            <span>{t('conversation.unread')}</span>
          </div>
        ) : null}
        {row.content.kind === 'message' ? (
          <MessageRow
            room={room.id}
            item={row.content.item}
            place={row.content.place}
            group={group}
            canSend={canSend}
            canDeleteOthers={details?.can.redactOthers ?? false}
            tabStop={row.key === stop}
            lit={row.key === lit}
            onJump={onJump}
          />
        ) : (
          <div role="listitem" className="notice" data-serious={noticeIsSerious(row.content.item)}>
            {noticeText(row.content.item)}
          </div>
        )}
      </>
    )
  }

  return (
    <div className="messages">
      <div className="messages__scroll" ref={scroller} tabIndex={-1}>
        <div
          className="messages__column"
          role="list"
          aria-label={t('conversation.messages')}
          aria-busy={timeline.loadingOlder}
          style={{ height: list.getTotalSize() }}
          onKeyDown={walk}
        >
          <div role="listitem" className="messages__head" style={{ height: headRoom }}>
            {older === null ? (
              <Beginning room={room} />
            ) : (
              <p className="row quiet small">
                <Spinner /> {t('conversation.loadingOlder')}
              </p>
            )}
          </div>
          {list.getVirtualItems().map((virtual) => {
            const row = rows[virtual.index]
            return row ? (
              <div
                key={virtual.key}
                ref={list.measureElement}
                data-index={virtual.index}
                className="messages__row"
                style={{ transform: `translateY(${virtual.start}px)` }}
              >
                {drawRow(row)}
              </div>
            ) : null
          })}
        </div>
      </div>
      {scrolledTo ? (
        <div className="messages__day" data-shown={scrolledTo.shown} aria-hidden="true">
          <span>{dayHeading(scrolledTo.day, now)}</span>
        </div>
      ) : null}
      {away ? (
        <button
          type="button"
          className="jump"
          aria-label={jumpLabel}
          data-tip={jumpLabel}
          onClick={() => list.scrollToEnd()}
        >
          <ArrowDown size={19} aria-hidden="true" />
          {fresh > 0 ? (
            <span className="jump__count" aria-hidden="true">
              {Math.min(fresh, 999)}
            </span>
          ) : null}
        </button>
      ) : null}
    </div>
  )
}

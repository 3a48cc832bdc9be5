/** The open conversation: what is loaded of it, reading, sending, changing messages. */
import type { EventPayload } from '../../src-shared/ipc/index.ts'
import type { MessageItem, TimelineItem } from '../../src-shared/view-model/index.ts'
import { writingText } from '../text/messages.ts'
import { t } from '../text/t.ts'
import type { Composers } from './composer.ts'
import type { Context } from './context.ts'
import type { Timeline } from './state.ts'
import { emptyTimeline, withFirstPage, withOlderPage, withPush } from './timeline.ts'

const pageSize = 60
/** Timelines kept in memory besides the open one. */
const keptTimelines = 6
/** Milliseconds between two words to main that the user writes. */
const writingPause = 4_000
/** Milliseconds after which somebody who begins to write is announced again. */
const writingSilence = 60_000

export interface Conversation {
  open(room: string | null): void
  reopen(room: string): void
  loadOlder(room: string): Promise<void>
  reload(room: string): Promise<void>
  pushed(payload: EventPayload<'timeline'>): void
  detailsChanged(room: string): void
  /** Others write. */
  typing(room: string, names: readonly string[]): void
  /** The user writes, or no longer does. */
  writing(room: string, on: boolean): void
  /** The view says whether the newest message is on screen in a focused window. */
  setAtEnd(atEnd: boolean): void
  send(room: string): Promise<void>
  editLastOwn(room: string): boolean
  retry(room: string, key: string): Promise<void>
  cancel(room: string, key: string): Promise<void>
  remove(room: string, envelope: string): Promise<boolean>
  react(room: string, envelope: string, emoji: string, on: boolean): Promise<void>
  find(room: string, envelope: string): MessageItem | null
}

export function createConversation(ctx: Context, composers: Composers): Conversation {
  const { store } = ctx
  const account = (): string => store.getState().account ?? ''
  const loading = new Map<string, { pushed: TimelineItem[] }>()
  const recent: string[] = []
  let atEnd = true
  let writingIn: string | null = null
  let writingAt = 0
  let saidWriting = -writingSilence

  function change(room: string, next: Timeline): void {
    store.setState((state) => ({ timelines: { ...state.timelines, [room]: next } }))
  }
  const timeline = (room: string): Timeline => store.getState().timelines[room] ?? emptyTimeline

  function find(room: string, envelope: string): MessageItem | null {
    const found = timeline(room).items.find(
      (item) => item.kind === 'message' && item.envelope === envelope,
    )
    return found?.kind === 'message' ? found : null
  }

  function forgetOld(room: string): void {
    const at = recent.indexOf(room)
    if (at >= 0) recent.splice(at, 1)
    recent.push(room)
    while (recent.length > keptTimelines) {
      const oldest = recent.shift()
      if (oldest === undefined) break
      store.setState((state) => {
        const { [oldest]: _gone, ...timelines } = state.timelines
        return { timelines }
      })
    }
  }

  async function loadFirst(room: string, unread: number): Promise<void> {
    const ticket = { pushed: [] as TimelineItem[] }
    loading.set(room, ticket)
    const result = await ctx.call('timeline.page', {
      account: account(),
      room,
      before: null,
      limit: pageSize,
    })
    if (loading.get(room) !== ticket) return
    loading.delete(room)
    if (result.ok) change(room, withFirstPage(timeline(room), result.value, ticket.pushed, unread))
    else change(room, { ...timeline(room), status: 'failed' })
  }

  async function loadDetails(room: string): Promise<void> {
    const result = await ctx.call('rooms.details', { account: account(), room })
    if (!result.ok) return
    store.setState((state) => ({ details: { ...state.details, [room]: result.value } }))
  }

  function markRead(room: string): void {
    const summary = store.getState().rooms[room]
    if (summary?.membership !== 'join') return
    void ctx.call('rooms.markRead', { account: account(), room })
  }

  function load(room: string): void {
    const before = timeline(room)
    change(room, { ...before, status: before.items.length > 0 ? 'ready' : 'loading' })
    void loadFirst(room, store.getState().rooms[room]?.unread ?? 0).then(() => {
      if (store.getState().openRoom === room && timeline(room).unreadFrom === null) markRead(room)
    })
    void loadDetails(room)
    void composers.load(room)
  }

  function writing(room: string, on: boolean): void {
    const now = ctx.clock.now()
    if (on && writingIn === room && now - writingAt < writingPause) return
    if (!on && writingIn !== room) return
    writingIn = on ? room : null
    writingAt = now
    void ctx.call('rooms.writing', { account: account(), room, on })
  }

  return {
    open(room) {
      if (store.getState().openRoom === room) return
      atEnd = true
      ctx.set({ openRoom: room })
      void ctx.call('timeline.watch', { account: account(), room })
      if (room === null) return
      const summary = store.getState().rooms[room]
      if (summary) ctx.announce(t('announce.opened', { room: summary.name }))
      forgetOld(room)
      load(room)
    },
    reopen: load,
    async loadOlder(room) {
      const current = timeline(room)
      if (current.older === null || current.loadingOlder || current.status !== 'ready') return
      change(room, { ...current, loadingOlder: true })
      const result = await ctx.call('timeline.page', {
        account: account(),
        room,
        before: current.older,
        limit: pageSize,
      })
      const now = timeline(room)
      if (now.epoch !== current.epoch) return
      change(room, result.ok ? withOlderPage(now, result.value) : { ...now, loadingOlder: false })
    },
    async reload(room) {
      change(room, { ...timeline(room), status: 'loading' })
      await loadFirst(room, 0)
    },
    pushed({ room, upserts, removed, reset }) {
      const ticket = loading.get(room)
      ticket?.pushed.push(...upserts)
      const known = store.getState().timelines[room]
      if (reset) void loadFirst(room, 0)
      else if (known) change(room, withPush(known, upserts, removed, !atEnd))
      const fresh = upserts.filter((item) => !known?.items.some(({ key }) => key === item.key))
      if (!known || known.status !== 'ready' || room !== store.getState().openRoom) return
      if (atEnd && fresh.length > 0) markRead(room)
      const last = fresh.findLast((item): item is MessageItem => item.kind === 'message')
      if (last && !last.mine && !last.deleted) {
        ctx.announce(t('announce.message', { sender: last.senderName, text: last.text }))
      }
    },
    detailsChanged(room) {
      if (store.getState().openRoom === room || store.getState().details[room]) {
        void loadDetails(room)
      }
    },
    typing(room, names) {
      const before = store.getState().typing[room] ?? []
      store.setState((state) => ({ typing: { ...state.typing, [room]: names } }))
      // Said when somebody begins after a silence; who stops and begins again is not told anew.
      if (names.length === 0 || before.length > 0 || room !== store.getState().openRoom) return
      const now = ctx.clock.now()
      if (now - saidWriting >= writingSilence) ctx.announce(writingText(names))
      saidWriting = now
    },
    writing,
    setAtEnd(now) {
      const arrived = now && !atEnd
      atEnd = now
      const { openRoom, rooms } = store.getState()
      if (openRoom !== null && (arrived || (now && (rooms[openRoom]?.unread ?? 0) > 0))) {
        markRead(openRoom)
      }
    },
    async send(room) {
      const composer = composers.get(room)
      const text = composer.text.trim()
      if (text === '') return
      writing(room, false)
      if (composer.editing !== null) {
        const envelope = composer.editing
        composers.stopEditing(room)
        const unchanged = find(room, envelope)?.text === text
        if (unchanged) return
        const result = await ctx.call('message.edit', { account: account(), room, envelope, text })
        if (!result.ok) {
          ctx.fail(result.error)
          composers.startEditing(room, envelope, composer.text)
        }
        return
      }
      composers.clear(room)
      const result = await ctx.call('message.send', {
        account: account(),
        room,
        text,
        replyTo: composer.replyTo,
        clientKey: ctx.newId(),
      })
      if (result.ok) return
      ctx.fail(result.error)
      composers.giveBack(room, composer.text, composer.replyTo)
    },
    editLastOwn(room) {
      const last = timeline(room).items.findLast(
        (item): item is MessageItem =>
          item.kind === 'message' && item.mine && !item.deleted && item.envelope !== null,
      )
      if (!last?.envelope) return false
      composers.startEditing(room, last.envelope, last.text)
      return true
    },
    async retry(room, key) {
      await ctx.attempt('message.retry', { account: account(), room, key })
    },
    async cancel(room, key) {
      await ctx.attempt('message.cancel', { account: account(), room, key })
    },
    async remove(room, envelope) {
      const done = await ctx.attempt('message.delete', { account: account(), room, envelope })
      if (done) ctx.announce(t('announce.deleted'))
      return done
    },
    async react(room, envelope, emoji, on) {
      await ctx.attempt('message.react', { account: account(), room, envelope, emoji, on })
    },
    find,
  }
}

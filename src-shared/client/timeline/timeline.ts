/**
 * The stored timeline of each room: pages of items, found by envelope through a bucketed index. It
 * knows where things stand and in which order; what an event means was decided before.
 */
import type { Context } from '../context.ts'
import type { RoomList } from '../rooms/room-list.ts'
import type { RoomEntry } from '../rooms/room-records.ts'
import type { Reader, Step } from '../store/database.ts'
import { applyRelation } from './stored-item.ts'
import type { StoredItem, StoredMessage, StoredRelation } from './stored-item.ts'
import { bucketKey, indexRecord, PAGE_SIZE, pageKey, pageRecord } from './timeline-records.ts'
import type { IndexEntry } from './timeline-records.ts'

/** Relations kept for an envelope that has not arrived. */
const MAX_WAITING = 64

/** Page numbers left free for what lies in a gap. */
const GAP_PAGES = 1000

export type TimelineGap = RoomEntry['gaps'][number]

export class Timeline {
  readonly #ctx: Context
  readonly #rooms: RoomList

  constructor(ctx: Context, rooms: RoomList) {
    this.#ctx = ctx
    this.#rooms = rooms
  }

  async indexed(reader: Reader, room: string, envelope: string): Promise<IndexEntry | null> {
    return (await reader.get(indexRecord, bucketKey(room, envelope)))?.e[envelope] ?? null
  }

  /** Whether the envelope was taken in before, with or without an item. */
  async knows(reader: Reader, room: string, envelope: string): Promise<boolean> {
    const entry = await this.indexed(reader, room, envelope)
    return entry?.p !== undefined || entry?.s !== undefined
  }

  async note(
    step: Step,
    room: string,
    envelope: string,
    facts: Partial<IndexEntry>,
  ): Promise<void> {
    const key = bucketKey(room, envelope)
    const bucket = (await step.get(indexRecord, key)) ?? { v: 1 as const, e: {} }
    const entry = { ...bucket.e[envelope], ...facts }
    step.put(indexRecord, key, { v: 1, e: { ...bucket.e, [envelope]: entry } })
  }

  /** At the newest end, in order. The room must be in the list. */
  async append(step: Step, room: string, items: readonly StoredItem[]): Promise<void> {
    const entry = await this.#rooms.get(step, room)
    if (entry === null || items.length === 0) return
    let { last } = entry
    for (const item of items) {
      if (last < entry.first) last = entry.first
      let page = (await step.get(pageRecord, pageKey(room, last)))?.items ?? []
      if (page.length >= PAGE_SIZE) {
        last++
        page = []
      }
      const settled = await this.#settle(step, room, item, last)
      step.put(pageRecord, pageKey(room, last), { v: 1, items: [...page, settled] })
      step.after(() => {
        const envelope = settled.kind === 'message' ? settled.envelope : null
        this.#ctx.publish.newItem(room, settled.key, envelope)
      })
    }
    if (last !== entry.last) await this.#rooms.update(step, room, (now) => ({ ...now, last }))
  }

  /** Before the oldest page, on pages of their own; `items` oldest first. */
  async prepend(step: Step, room: string, items: readonly StoredItem[]): Promise<void> {
    const entry = await this.#rooms.get(step, room)
    if (entry === null || items.length === 0) return
    let { first } = entry
    for (let end = items.length; end > 0; end -= PAGE_SIZE) {
      first--
      const settled: StoredItem[] = []
      for (const item of items.slice(Math.max(0, end - PAGE_SIZE), end))
        settled.push(await this.#settle(step, room, item, first))
      step.put(pageRecord, pageKey(room, first), { v: 1, items: settled })
    }
    const last = Math.max(entry.last, first)
    await this.#rooms.update(step, room, (now) => ({ ...now, first, last }))
    step.after(() => {
      this.#ctx.publish.timelineReset(room)
    })
  }

  /** What comes from now on stands apart from what is there: what lies between begins before `prev`. */
  async openGap(step: Step, room: string, prev: string): Promise<void> {
    await this.#rooms.update(step, room, (entry) => {
      if (entry.last < entry.first) return { ...entry, older: prev }
      const high = entry.last + GAP_PAGES
      return { ...entry, last: high, gaps: [...entry.gaps, { low: entry.last, high, prev }] }
    })
    step.after(() => {
      this.#ctx.publish.timelineReset(room)
    })
  }

  /** At the newer end of a gap, before what stands there; `items` oldest first, `prev` null closes it. */
  async fillGap(
    step: Step,
    room: string,
    gap: TimelineGap,
    items: readonly StoredItem[],
    prev: string | null,
  ): Promise<void> {
    let { high } = gap
    for (let end = items.length; end > 0; end -= PAGE_SIZE) {
      high--
      const settled: StoredItem[] = []
      for (const item of items.slice(Math.max(0, end - PAGE_SIZE), end))
        settled.push(await this.#settle(step, room, item, high))
      step.put(pageRecord, pageKey(room, high), { v: 1, items: settled })
    }
    // Page numbers run out long after anybody's patience.
    const full = high - GAP_PAGES / 10 <= gap.low
    await this.#rooms.update(step, room, (entry) => ({
      ...entry,
      gaps: entry.gaps.map((one) =>
        one.high === gap.high ? { ...one, high, prev: full ? null : prev } : one,
      ),
    }))
    step.after(() => {
      this.#ctx.publish.timelineReset(room)
    })
  }

  /** Whether an item with this key stands on one of the newest pages. */
  async keyed(reader: Reader, room: string, key: string): Promise<boolean> {
    const entry = await this.#rooms.get(reader, room)
    if (entry === null) return false
    const { items } = await this.read(reader, entry, null, PAGE_SIZE)
    return items.some((item) => item.key === key)
  }

  async find(reader: Reader, room: string, envelope: string): Promise<StoredMessage | null> {
    const page = (await this.indexed(reader, room, envelope))?.p
    if (page === undefined) return null
    const items = (await reader.get(pageRecord, pageKey(room, page)))?.items ?? []
    return items.find((item) => isMessage(item, envelope)) ?? null
  }

  /** Changes a message in place; says whether it was there. */
  async update(
    step: Step,
    room: string,
    envelope: string,
    change: (item: StoredMessage) => StoredMessage,
  ): Promise<boolean> {
    const number = (await this.indexed(step, room, envelope))?.p
    if (number === undefined) return false
    const page = await step.get(pageRecord, pageKey(room, number))
    const item = page?.items.find((known) => isMessage(known, envelope))
    if (page === null || item === undefined) return false
    const next = change(item)
    if (next === item) return true
    const items = page.items.map((known) => (known === item ? next : known))
    step.put(pageRecord, pageKey(room, number), { v: 1, items })
    this.#show(step, room, next)
    return true
  }

  /** Takes an item out: what it turned out to say is not an item of its own. */
  async remove(step: Step, room: string, envelope: string): Promise<void> {
    const number = (await this.indexed(step, room, envelope))?.p
    if (number === undefined) return
    const page = await step.get(pageRecord, pageKey(room, number))
    const item = page?.items.find((known) => isMessage(known, envelope))
    if (page === null || item === undefined) return
    const items = page.items.filter((known) => known !== item)
    step.put(pageRecord, pageKey(room, number), { v: 1, items })
    await this.note(step, room, envelope, { p: undefined, s: 1 })
    this.#show(step, room, item)
  }

  /** Applies to a message that is there, else waits in the index until it arrives. */
  async relate(step: Step, room: string, relation: StoredRelation): Promise<void> {
    const { target } = relation
    if (await this.update(step, room, target, (item) => applyRelation(item, relation))) return
    const waiting = (await this.indexed(step, room, target))?.w ?? []
    if (waiting.length >= MAX_WAITING) return
    await this.note(step, room, target, { w: [...waiting, relation] })
  }

  /**
   * Items of whole pages, newest last, until `limit` is reached, nothing older is stored, or a gap begins
   * that is still open.
   */
  async read(
    reader: Reader,
    entry: RoomEntry,
    before: number | null,
    limit: number,
  ): Promise<{
    readonly items: readonly StoredItem[]
    readonly oldest: number
    /** The open gap that ended it. */
    readonly gap: TimelineGap | null
  }> {
    const items: StoredItem[] = []
    let number = before === null ? entry.last : before - 1
    for (; number >= entry.first; number--) {
      const gap = entry.gaps.find(({ low, high }) => number > low && number < high)
      if (gap !== undefined) {
        if (gap.prev !== null) return { items, oldest: gap.high, gap }
        number = gap.low
      }
      const page = await reader.get(pageRecord, pageKey(entry.id, number))
      items.unshift(...(page?.items ?? []))
      if (items.length >= limit) break
    }
    return { items, oldest: Math.max(number, entry.first), gap: null }
  }

  /** Notes where the item stands and lets what waited for it take effect. */
  async #settle(step: Step, room: string, item: StoredItem, page: number): Promise<StoredItem> {
    if (item.kind === 'notice') return item
    const waiting = (await this.indexed(step, room, item.envelope))?.w ?? []
    await this.note(step, room, item.envelope, { p: page, w: undefined, o: undefined })
    return waiting.reduce(applyRelation, item)
  }

  #show(step: Step, room: string, item: StoredItem): void {
    const envelope = item.kind === 'message' ? item.envelope : null
    step.after(() => {
      this.#ctx.publish.item(room, item.key, envelope)
    })
  }
}

function isMessage(item: StoredItem, envelope: string): item is StoredMessage {
  return item.kind === 'message' && item.envelope === envelope
}

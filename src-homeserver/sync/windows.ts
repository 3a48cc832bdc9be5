/**
 * Looking at a part of the account (Sync §8): the rooms in windows of the room list and those followed by
 * name. What it costs depends on what is looked at and on what happened, not on how many rooms there are.
 */
import { createHash } from 'node:crypto'
import { MESSAGE_TYPES, STATE_TYPES } from '../../src-shared/protocol/index.ts'
import type { ListNews, Look, WindowList } from '../../src-shared/api/index.ts'
import type { Context } from '../context.ts'
import type { Caller } from '../http/call.ts'
import type { EventRow, StreamItem, Tx } from '../storage/index.ts'
import type { WindowRoom } from '../storage/index.ts'
import { Draft } from './answer.ts'
import {
  addInvite,
  addOther,
  beginsAnew,
  endsKnock,
  load,
  ownChanges,
  ownStanding,
} from './incremental.ts'
import type { Loaded, OwnMemberships } from './incremental.ts'
import { addRoom, occurring } from './initial.ts'
import { membersBundle, partialBundle, stateBundle } from './state-bundle.ts'
import { membershipAt } from './visible-spans.ts'

/** Rooms with more members than this come with a part of them. */
const WHOLE_MEMBERS = 32
const STANDINGS = ['join', 'invite', 'knock'] as const

export interface WindowAsk {
  readonly look: Look
  /** The position up to which everything is known. */
  readonly since: number
  /** Starts here: what happened before `since` is told by the rooms themselves. */
  readonly fresh: boolean
  /** The windows are those of the answer before, and all their rooms were shown. */
  readonly settled: boolean
}

export interface WindowPage {
  readonly draft: Draft
  readonly upTo: number
  /** Rooms of the windows are still to be shown. */
  readonly more: boolean
  /** What the answer shows for the first time, and what it leaves out: to be remembered with it. */
  readonly shown: readonly WindowRoom[]
  readonly left: readonly string[]
}

/** Eight characters that stand for the windows in a position. */
export function digestOf({ lists = {}, rooms = {} }: Look): string {
  const text = JSON.stringify([lists, Object.keys(rooms).sort()])
  return createHash('sha256').update(text).digest('base64url').slice(0, 8)
}

export async function windowPage(
  context: Context,
  tx: Tx,
  caller: Pick<Caller, 'member' | 'device'>,
  ask: WindowAsk,
  draft = new Draft(),
): Promise<WindowPage> {
  const { syncItems } = context.config
  const { member, device } = caller
  const head = await tx.streams.head()
  const items = ask.fresh ? [] : await tx.streams.after(member, device, ask.since, syncItems)
  if (items.length === 0 && ask.settled) {
    draft.lists = unchanged(ask.look)
    return { draft, upTo: head, more: false, shown: [], left: [] }
  }
  const view = new View(context, tx, caller, ask, draft)
  await view.open(items)
  const read = await view.take(items)
  const cut = read < items.length || items.length === syncItems
  const upTo = ask.fresh ? ask.since : cut ? (items[read - 1]?.pos ?? ask.since) : head
  return view.finish(upTo)
}

interface Listed {
  readonly list: WindowList
  readonly ignored: readonly string[]
  readonly ranges: readonly { readonly first: number; readonly rooms: readonly string[] }[]
}

/** One answer in the making. */
class View {
  readonly #context: Context
  readonly #tx: Tx
  readonly #caller: Pick<Caller, 'member' | 'device'>
  readonly #ask: WindowAsk
  readonly #draft: Draft
  readonly #lists = new Map<string, Listed>()
  /** What is looked at, with the events wanted on first sight. */
  readonly #looked = new Map<string, number>()
  #covered = new Map<string, WindowRoom>()
  #loaded: Loaded = { events: new Map(), wraps: new Map() }
  readonly #own: OwnMemberships = new Map()
  readonly #left = new Set<string>()
  readonly #shown = new Map<string, { firstPos: number; whole: boolean }>()
  /** Rows of covered rooms, to know who occurs in them. */
  readonly #told = new Map<string, EventRow[]>()
  #moved = false
  #entered = false

  constructor(
    context: Context,
    tx: Tx,
    caller: Pick<Caller, 'member' | 'device'>,
    ask: WindowAsk,
    draft: Draft,
  ) {
    this.#context = context
    this.#tx = tx
    this.#caller = caller
    this.#ask = ask
    this.#draft = draft
  }

  async open(items: readonly StreamItem[]): Promise<void> {
    const { member, device } = this.#caller
    const { lists = {}, rooms = {} } = this.#ask.look
    for (const [room, { timeline }] of Object.entries(rooms)) {
      const own = await this.#tx.rooms.membership(room, member)
      if (STANDINGS.some((one) => one === own?.membership)) this.#looked.set(room, timeline)
    }
    for (const [name, list] of Object.entries(lists)) await this.#openList(name, list)
    const happened = items.flatMap(({ room_id: room }) => (room === null ? [] : [room]))
    const known = new Set([...this.#looked.keys(), ...happened])
    const { since, fresh } = this.#ask
    this.#covered = fresh
      ? new Map()
      : await this.#tx.windowRooms.among(member, device, [...known], since)
    this.#loaded = await load(this.#tx, member, device, items)
  }

  async #openList(name: string, list: WindowList): Promise<void> {
    const { membership, ...others } = list.filter ?? {}
    const ranges: { first: number; rooms: string[] }[] = []
    for (const [first, last] of list.ranges) {
      const standings = STANDINGS.filter((one) => membership?.includes(one) ?? true)
      const found =
        standings.length === 0
          ? []
          : await this.#tx.rooms.listed(this.#caller.member, standings, first, last)
      const rooms = found.map(({ room_id: room }) => room)
      for (const room of rooms)
        this.#looked.set(room, Math.max(this.#looked.get(room) ?? 0, list.timeline))
      ranges.push({ first, rooms })
    }
    this.#lists.set(name, { list, ignored: Object.keys(others), ranges })
  }

  /** How many of `items` are in the answer. */
  async take(items: readonly StreamItem[]): Promise<number> {
    for (const [index, item] of items.entries()) {
      if (this.#draft.bytes >= this.#context.config.syncBytes) return index
      if (beginsAnew(this.#draft, item)) return index
      await this.#takeItem(item)
    }
    return items.length
  }

  async #takeItem(item: StreamItem): Promise<void> {
    const { member } = this.#caller
    switch (item.kind) {
      case 'event': {
        const row = this.#loaded.events.get(item.ref)
        if (row === undefined) return
        if (row.type === MESSAGE_TYPES.message) this.#moved = true
        if (row.type === STATE_TYPES.member && row.state_key === member)
          await this.#takeOwn(item, row)
        else this.#takeEvent(item, row)
        return
      }
      case 'invite':
        this.#entered = true
        this.#shown.set(item.ref, { firstPos: item.pos, whole: false })
        await addInvite(this.#tx, this.#draft, member, item)
        return
      case 'state':
        await this.#takeState(item)
        return
      case 'receipt':
        for (const row of await this.#tx.receipts.at([item.pos]))
          if (this.#covered.has(row.room_id)) this.#draft.addReceipt(row.room_id, row.receipt)
        return
      default:
        await addOther(this.#tx, this.#draft, this.#caller, item)
    }
  }

  #takeEvent(item: StreamItem, row: EventRow): void {
    const { room_id: room } = row
    const looked = this.#looked.has(room)
    if (looked && this.#covered.has(room)) {
      this.#draft.addEvent(room, row, this.#loaded.wraps.get(item.pos))
      this.#told.set(room, [...(this.#told.get(room) ?? []), row])
      return
    }
    // Where it is looked at, its first sight will show what has happened.
    if (!looked) this.#leaveOut(room, row)
  }

  /** `row`: null where only the state is another. */
  #leaveOut(room: string, row: EventRow | null): void {
    this.#uncover(room)
    const line = this.#draft.summaries.get(room)
    const message = row?.type === MESSAGE_TYPES.message ? row : null
    const unseen = message !== null && message.member !== this.#caller.member ? 1 : 0
    this.#draft.summaries.set(room, {
      membership: line?.membership ?? 'join',
      unseen: (line?.unseen ?? 0) + unseen,
      mentions: null,
      latest:
        message === null ? (line?.latest ?? null) : Math.max(line?.latest ?? 0, message.origin_ts),
    })
  }

  /** The state is told anew, of as many members as before. */
  async #takeState({ ref, room_id: room, pos }: StreamItem): Promise<void> {
    if (room === null) return
    const { member } = this.#caller
    const changes = await ownChanges(this.#tx, this.#own, room, member)
    const membership = membershipAt(changes, pos)
    this.#draft.items++
    if (membership === 'invite' || membership === 'knock') {
      const sight = await addRoom(this.#tx, this.#draft, this.#caller, room, pos)
      if (sight !== null) this.#shown.set(room, sight)
    } else if (membership !== 'join') {
      this.#entered = true
      this.#draft.room(room)
      this.#uncover(room)
    } else if (!this.#looked.has(room)) this.#leaveOut(room, null)
    else {
      const cover = this.#covered.get(room)
      if (cover !== undefined) await this.#restate(room, pos, ref, cover.whole === 1)
    }
  }

  async #restate(room: string, pos: number, event: string, whole: boolean): Promise<void> {
    const [row] = await this.#tx.events.byIds([event])
    const changed = row === undefined ? [] : await this.#tx.rooms.membersChangedAt(room, row.pos)
    const state = whole
      ? await stateBundle(this.#tx, room, pos, 'whole')
      : await partialBundle(this.#tx, room, pos, [this.#caller.member, ...changed])
    this.#draft.restart(room, state, null).members = {
      joined: await this.#tx.rooms.countMembers(room, 'join'),
      invited: await this.#tx.rooms.countMembers(room, 'invite'),
      whole,
    }
  }

  #uncover(room: string): void {
    this.#covered.delete(room)
    this.#shown.delete(room)
    this.#left.add(room)
  }

  /** Coming in and going is never left out. */
  async #takeOwn(item: StreamItem, row: EventRow): Promise<void> {
    const { room_id: room } = row
    const { member } = this.#caller
    this.#entered = true
    if (row.membership === 'join') {
      const changes = await ownChanges(this.#tx, this.#own, room, member)
      if (membershipAt(changes, item.pos - 1) === 'join') {
        this.#takeEvent(item, row)
        return
      }
      this.#uncover(room)
      if (!this.#looked.has(room)) this.#leaveOut(room, row)
      return
    }
    if (row.membership === 'invite' || row.membership === 'knock') {
      // The roster that the node states for the invited follows at once; `pos` alone would miss it.
      const sight = await addRoom(this.#tx, this.#draft, this.#caller, room, item.pos + 1)
      if (sight !== null) this.#shown.set(room, sight)
      return
    }
    if (await endsKnock(this.#tx, this.#draft, this.#own, row, item.pos)) {
      this.#uncover(room)
      return
    }
    if (this.#covered.has(room)) this.#draft.addEvent(room, row, this.#loaded.wraps.get(item.pos))
    else this.#draft.room(room)
    this.#draft.items++
    this.#uncover(room)
  }

  async finish(upTo: number): Promise<WindowPage> {
    const { member, device } = this.#caller
    const more = await this.#showNew(upTo)
    for (const [room, rows] of this.#told) await this.#introduce(room, rows)
    for (const [room, delta] of this.#draft.rooms)
      delta.membership = await this.#standing(room, upTo)
    for (const [room, line] of this.#draft.summaries)
      this.#draft.summaries.set(room, { ...line, membership: await this.#standing(room, upTo) })
    this.#draft.lists = await this.#listNews()
    const shown = [...this.#shown].map(([room_id, { firstPos, whole }]) => ({
      member,
      device,
      room_id,
      shown_at: upTo,
      first_pos: firstPos,
      whole: whole ? 1 : 0,
    }))
    return { draft: this.#draft, upTo, more, shown, left: [...this.#left] }
  }

  /** Rooms that are looked at and not known yet, as far as the answer has room. */
  async #showNew(upTo: number): Promise<boolean> {
    const { syncItems, syncBytes } = this.#context.config
    for (const [room, timeline] of this.#looked) {
      if (this.#covered.has(room) || this.#shown.has(room)) continue
      if (this.#draft.items >= syncItems || this.#draft.bytes >= syncBytes) return true
      const sight = { timeline, wholeUpTo: WHOLE_MEMBERS }
      const shown = await addRoom(this.#tx, this.#draft, this.#caller, room, upTo, sight)
      if (shown === null) continue
      this.#shown.set(room, shown)
      this.#told.delete(room)
    }
    return false
  }

  /** Who speaks for the first time in a room whose members are known in part. */
  async #introduce(room: string, rows: readonly EventRow[]): Promise<void> {
    const cover = this.#covered.get(room)
    const first = rows[0]
    if (cover === undefined || cover.whole === 1 || first === undefined) return
    const unknown: string[] = []
    for (const who of new Set(rows.flatMap(occurring)))
      if (who !== this.#caller.member && !(await this.#occurred(room, who, cover.first_pos)))
        unknown.push(who)
    if (unknown.length === 0) return
    const { events, lapsed } = await membersBundle(this.#tx, room, first.pos - 1, unknown)
    const delta = this.#draft.room(room)
    delta.senders = events
    delta.lapsed = [...new Set([...delta.lapsed, ...lapsed])]
    this.#draft.bytes += events.length * 700
  }

  async #occurred(room: string, member: string, from: number): Promise<boolean> {
    const { since } = this.#ask
    if (await this.#tx.events.spokeBetween(room, member, from, since)) return true
    for (const type of [STATE_TYPES.member, STATE_TYPES.roster]) {
      const changes = await this.#tx.rooms.history(room, type, member)
      if (changes.some(({ pos }) => pos >= from && pos <= since)) return true
    }
    return false
  }

  async #standing(room: string, upTo: number) {
    return ownStanding(this.#tx, this.#own, room, this.#caller.member, upTo)
  }

  async #listNews(): Promise<Record<string, ListNews>> {
    const anew = this.#ask.fresh || !this.#ask.settled
    if (!anew && !this.#moved && !this.#entered) return unchanged(this.#ask.look)
    const news: Record<string, ListNews> = {}
    for (const [name, { list, ignored, ranges }] of this.#lists) {
      const standings = STANDINGS.filter((one) => list.filter?.membership?.includes(one) ?? true)
      // Counting looks at every room: only where the number may be another.
      const counts = anew || this.#entered
      news[name] = {
        ...(counts
          ? {
              count:
                standings.length === 0
                  ? 0
                  : await this.#tx.rooms.countListed(this.#caller.member, standings),
            }
          : {}),
        ops: ranges.map(({ first, rooms }) => ({ op: 'range' as const, first, rooms: [...rooms] })),
        ...(ignored.length === 0 ? {} : { ignored: [...ignored] }),
      }
    }
    return news
  }
}

function unchanged({ lists = {} }: Look): Record<string, ListNews> {
  return Object.fromEntries(
    Object.keys(lists).map((name) => [name, { ops: [{ op: 'unchanged' as const }] }]),
  )
}

/** Builds what the host shows from committed records (the publisher's source), and the pages it asks for. */
import type {
  AccountView,
  Alert,
  Pairing,
  RoomDetails,
  RoomSummary,
  TimelineItem,
  TimelinePage,
} from '../../view-model/index.ts'
import { isJoined, membershipOf } from '../../protocol/index.ts'
import { accountRecord, SELF } from '../account/account-record.ts'
import type { Context } from '../context.ts'
import type { Contacts } from '../devices/contacts.ts'
import { EngineError } from '../errors.ts'
import { Unanswered } from '../http/api-client.ts'
import { silenceError } from '../http/errors.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { ApproverPairing } from '../pairing/approver.ts'
import type { NewDevicePairing } from '../pairing/new-device.ts'
import type { FarServers } from '../rooms/far-servers.ts'
import type { RoomList } from '../rooms/room-list.ts'
import type { RoomEntry } from '../rooms/room-records.ts'
import type { RoomStates } from '../rooms/room-states.ts'
import type { Connection } from '../sync/connection.ts'
import type { Intake } from '../sync/intake.ts'
import type { StoredMessage } from '../timeline/stored-item.ts'
import { pageKey, pageRecord } from '../timeline/timeline-records.ts'
import type { Timeline, TimelineGap } from '../timeline/timeline.ts'
import { storedAlerts } from './alerts.ts'
import type { ItemViews } from './item-view.ts'
import type { TouchedItem, ViewSource } from './publisher.ts'
import { detailsView, summaryView } from './room-view.ts'

export interface ViewParts {
  readonly contacts: Contacts
  readonly rooms: RoomList
  readonly states: RoomStates
  readonly timeline: Timeline
  readonly outbox: Outbox
  readonly items: ItemViews
  readonly connection: Connection
  readonly approver: ApproverPairing
  readonly newDevice: NewDevicePairing
  readonly intake: Intake
  readonly farServers: FarServers
}

/** Pages fetched from the node in one go, when what they hold shows nothing. */
const MAX_BACKFILLS = 5
const MAX_PAGE_ITEMS = 400

export class ViewBuilder implements ViewSource {
  readonly #ctx: Context
  readonly #parts: ViewParts

  constructor(ctx: Context, parts: ViewParts) {
    this.#ctx = ctx
    this.#parts = parts
  }

  async account(): Promise<AccountView> {
    const { db, me } = this.#ctx
    const account = await db.get(accountRecord, SELF)
    const states = {
      active: 'ready',
      pending: 'pending_approval',
      signed_out: 'signed_out',
    } as const
    const phase = account?.phase ?? 'signed_out'
    const signedOut = account?.signedOut ?? null
    const connection: AccountView['connection'] =
      signedOut === null ? this.#parts.connection.view : { state: 'signed_out', reason: signedOut }
    return {
      account: me.member,
      userId: me.userId,
      displayName: account?.displayName ?? '',
      homeserver: me.serverName,
      personalNode: false,
      device: me.device,
      deviceName: account?.deviceName ?? '',
      state: phase === 'registering' || phase === 'signing_in' ? 'pending_approval' : states[phase],
      connection,
      queuedMessages: await this.#queued(),
    }
  }

  async #queued(): Promise<number> {
    const { db } = this.#ctx
    const { outbox } = this.#parts
    let queued = 0
    for (const room of await outbox.rooms(db))
      for (const { job, sent, failure } of await outbox.lane(db, room))
        if (job.kind === 'message' && job.shown && !sent && failure === null) queued++
    return queued
  }

  async room(room: string): Promise<RoomSummary | null> {
    const entry = await this.#parts.rooms.get(this.#ctx.db, room)
    return entry === null ? null : this.#summary(entry)
  }

  async rooms(): Promise<readonly RoomSummary[]> {
    const entries = await this.#parts.rooms.all(this.#ctx.db)
    const summaries = await Promise.all(entries.map((entry) => this.#summary(entry)))
    return summaries.filter((summary) => summary !== null)
  }

  async #summary(entry: RoomEntry): Promise<RoomSummary | null> {
    const by = entry.ended?.by ?? null
    const name = by === null ? null : await this.#parts.items.name(by.member, by.userId)
    return summaryView(entry, name)
  }

  async alerts(): Promise<readonly Alert[]> {
    const { db } = this.#ctx
    const waiting = await this.#parts.approver.alerts(db)
    const stored = await storedAlerts(db)
    if (stored.length === 0) return waiting
    const rooms = await this.#parts.rooms.all(db)
    // What concerns a person is shown in the conversation with them, where there is one.
    const roomOf = (userId: string): string | null =>
      rooms.find(
        ({ kind, hidden, peer }) => kind === 'direct' && !hidden && peer?.userId === userId,
      )?.id ?? null
    return [
      ...waiting,
      ...stored.map((one) =>
        one.alert.what === 'contact_changed' ? { ...one, room: roomOf(one.alert.userId) } : one,
      ),
    ]
  }

  async pairings(): Promise<readonly Pairing[]> {
    const { db } = this.#ctx
    const account = await db.get(accountRecord, SELF)
    // Not let in: the record is gone once it was.
    const waited = await this.#parts.newDevice.view(db, account?.deviceName ?? '')
    return waited.length > 0 ? waited : this.#parts.approver.view(db)
  }

  async item(room: string, touched: TouchedItem): Promise<TimelineItem | null> {
    const { db } = this.#ctx
    const { outbox, items, connection, timeline } = this.#parts
    const entry = await outbox.entry(db, touched.key)
    if (entry !== null) return items.outgoing(entry, connection.online)
    if (touched.envelope !== null) {
      const stored = await timeline.find(db, room, touched.envelope)
      return stored === null ? null : items.item(room, stored)
    }
    const info = await this.#parts.rooms.get(db, room)
    if (info === null) return null
    const newest = await db.getMany(pageRecord, [
      pageKey(room, info.last),
      pageKey(room, info.last - 1),
    ])
    const found = newest.flatMap((page) => page?.items ?? []).find(({ key }) => key === touched.key)
    return found === undefined ? null : items.item(room, found)
  }

  /** Rooms whose view a person's name or keys appear in. */
  async roomsOf(member: string): Promise<readonly string[]> {
    const { watched } = this.#ctx.publish
    const entries = await this.#parts.rooms.all(this.#ctx.db)
    const shown = entries
      .filter(({ peer, inviter }) => peer?.member === member || inviter?.member === member)
      .map(({ id }) => id)
    if (watched === null || shown.includes(watched)) return shown
    const state = await this.#parts.states.get(this.#ctx.db, watched)
    return membershipOf(state, member) === undefined ? shown : [...shown, watched]
  }

  async senderName(message: StoredMessage): Promise<string> {
    return this.#parts.items.name(message.member, message.userId)
  }

  async details(room: string): Promise<RoomDetails> {
    const { db } = this.#ctx
    const entry = await this.#parts.rooms.get(db, room)
    const summary = entry === null ? null : await this.#summary(entry)
    if (entry === null || summary === null) throw new EngineError('unknown_room')
    const state = await this.#parts.states.get(db, room)
    const silent = this.#parts.farServers.silentOf(room)
    return detailsView(this.#ctx, this.#parts.contacts, entry, summary, state, silent)
  }

  async page(room: string, before: string | null, limit: number): Promise<TimelinePage> {
    const { db } = this.#ctx
    const { rooms, timeline, items } = this.#parts
    const from = before === null ? null : pageNumber(before)
    let entry = await rooms.get(db, room)
    if (entry === null) throw new EngineError('unknown_room')
    let read = await timeline.read(db, entry, from, limit)
    for (let round = 0; read.items.length === 0 && round < MAX_BACKFILLS; round++) {
      if (!(await this.#fetchOlder(room, read.gap))) break
      entry = (await rooms.get(db, room)) ?? entry
      read = await timeline.read(db, entry, from, limit)
    }
    const shown: TimelineItem[] = []
    for (const item of read.items) shown.push(await items.item(room, item))
    if (before === null) shown.push(...(await this.#waiting(room)))
    const more = read.oldest > entry.first || entry.older !== null || read.gap !== null
    const fetchable = entry.older !== null || read.gap !== null
    const older = more && (read.items.length > 0 || fetchable) ? String(read.oldest) : null
    return { room, items: shown.slice(-MAX_PAGE_ITEMS), older }
  }

  /** Whether there was something to fetch. Throws `EngineError`. */
  async #fetchOlder(room: string, gap: TimelineGap | null): Promise<boolean> {
    const { db } = this.#ctx
    const entry = await this.#parts.rooms.get(db, room)
    if (entry === null || entry.membership !== 'join') return false
    if (gap === null && entry.older === null) return false
    const state = await this.#parts.states.get(db, room)
    if (!isJoined(state, this.#ctx.me.member)) return false
    try {
      if (gap === null) await this.#parts.intake.backfill(room)
      else await this.#parts.intake.fillGap(room, gap)
      return true
    } catch (error) {
      throw error instanceof Unanswered ? silenceError(error) : error
    }
  }

  async #waiting(room: string): Promise<TimelineItem[]> {
    const { outbox, items, connection } = this.#parts
    const shown: TimelineItem[] = []
    for (const entry of await outbox.lane(this.#ctx.db, room)) {
      const item = await items.outgoing(entry, connection.online)
      if (item !== null) shown.push(item)
    }
    return shown
  }
}

function pageNumber(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number)) throw new EngineError('bad_input')
  return number
}

/**
 * Taking in what a sync brought: first everything that must be fetched to judge it, then the events in
 * batches of whole steps, the last of them together with the new position. Only then does the loop ask
 * for more, which is what tells the node that all of it is safe (Sync §8).
 */
import { creation, isJoined, MESSAGE_TYPES } from '../../protocol/index.ts'
import type { Given, Pdu } from '../../protocol/index.ts'
import type { RoomDelta, RoomLine, SyncResponse, TimelineEntry } from '../../api/index.ts'
import { POSITION, positionRecord } from '../account/account-record.ts'
import type { Context } from '../context.ts'
import { EngineError } from '../errors.ts'
import type { Receipts } from '../receipts/receipts.ts'
import type { Step } from '../store/database.ts'
import type { StoredItem, StoredMessage } from '../timeline/stored-item.ts'
import type { TimelineGap } from '../timeline/timeline.ts'
import { Acquaintance } from './acquaintance.ts'
import { History } from './history.ts'
import { beginningOf, describeRoom } from './room-facts.ts'
import type { Told } from '../rooms/room-states.ts'
import { RoomIntake } from './room-intake.ts'
import type { RoomIntakeParts, Taken } from './room-intake.ts'
import type { ToDeviceIntake } from './to-device-intake.ts'

/** Events in one commit. */
const BATCH = 40

export interface SyncIntakeParts extends RoomIntakeParts {
  readonly receipts: Receipts
  readonly toDevice: ToDeviceIntake
  /** The account section; runs in the last step. */
  readonly account: (step: Step, response: SyncResponse) => Promise<void>
  /** These members gave a sign of life. */
  readonly heard: (members: ReadonlySet<string>) => Promise<void>
}

/** A room's share of a response, ready to be taken in. */
interface Prepared {
  readonly room: string
  readonly delta: RoomDelta
  /** What was missing before the place that `state` speaks of. */
  readonly missing: readonly TimelineEntry[]
  readonly timeline: readonly TimelineEntry[]
  /** Known before, up to where this begins. */
  readonly continues: boolean
  readonly gap: boolean
}

export class Intake {
  readonly #ctx: Context
  readonly #parts: SyncIntakeParts
  readonly #rooms: RoomIntake
  readonly #people: Acquaintance
  readonly #history: History
  readonly #doubtful = new Set<string>()
  /** Somebody's message was taken in. */
  onSpoken: (room: string, member: string) => void = () => undefined

  constructor(ctx: Context, parts: SyncIntakeParts) {
    this.#ctx = ctx
    this.#parts = parts
    this.#rooms = new RoomIntake(ctx, parts)
    this.#people = new Acquaintance(ctx, parts)
    this.#history = new History(ctx, parts, this.#rooms, this.#people)
  }

  /** Resolves when everything up to `response.next` is durably stored. Throws `Unanswered`. */
  async take(response: SyncResponse): Promise<void> {
    const rooms: Prepared[] = []
    for (const [room, delta] of Object.entries(response.rooms))
      rooms.push(await this.#prepare(room, delta))
    await this.#people.meetAll(
      response,
      rooms.flatMap(({ delta, missing, timeline }) => [
        ...(delta.state ?? []),
        ...(delta.senders ?? []),
        ...[...missing, ...timeline].map((entry) => entry.pdu),
      ]),
    )
    await this.#store(response, rooms)
    await this.#parts.heard(heardIn(response, rooms))
    await this.#resolveDoubts()
    await this.#checkOwnHeads()
  }

  /**
   * Senders go by manifest heads of this account that are not known here: the log has grown, or someone
   * shows others another branch of it.
   */
  async #checkOwnHeads(): Promise<void> {
    const { db, me } = this.#ctx
    const { contacts } = this.#parts
    const heads = this.#rooms.messages.takeUnknownHeads()
    if (heads.length === 0) return
    await contacts.refresh(me.userId, me.member)
    for (const head of heads)
      if (!(await contacts.ownHeadKnown(db, head)))
        await db.step('own.fork', (step) => contacts.warnOfOwnFork(step))
  }

  /** Gets to know those whom state events name, and the nodes they come from. Throws `Unanswered`. */
  meet(pdus: readonly Pdu[]): Promise<void> {
    return this.#people.meet(pdus)
  }

  /** One page of what is older than anything stored here. Throws `Unanswered`. */
  backfill(room: string): Promise<void> {
    return this.#history.backfill(room)
  }

  /** One page of a gap. Throws `Unanswered`. */
  fillGap(room: string, gap: TimelineGap): Promise<void> {
    return this.#history.fillGap(room, gap)
  }

  /**
   * The whole state of a room of which a part of the members is known: recipients are never taken from a
   * part. Throws `Unanswered`; false where the node does not give it.
   */
  async makeWhole(room: string): Promise<boolean> {
    const { db } = this.#ctx
    if ((await this.#parts.rooms.get(db, room))?.partial !== true) return true
    return this.#fetchState(room)
  }

  async #fetchState(room: string): Promise<boolean> {
    const { api, db, life } = this.#ctx
    const answer = await api.call('state', { params: { roomId: room }, cancel: life })
    if (!answer.ok) return false
    await this.#people.meet(answer.value.events)
    await db.step('room.state', async (step) => {
      await this.#adopt(step, room, answer.value, 'all')
      await this.#parts.rooms.update(step, room, (entry) => ({ ...entry, partial: false }))
    })
    return true
  }

  /** Rooms whose state is not the node's; asked for once, verified as ever. */
  async #resolveDoubts(): Promise<void> {
    for (const room of [...this.#doubtful]) {
      this.#doubtful.delete(room)
      await this.#fetchState(room)
    }
  }

  async #prepare(room: string, delta: RoomDelta): Promise<Prepared> {
    const { db } = this.#ctx
    const entry = await this.#parts.rooms.get(db, room)
    const state = await this.#parts.states.get(db, room)
    // Having been answered that one is in is not having been told who else is: that comes with the state.
    const within = creation(state) !== null && isJoined(state, this.#ctx.me.member)
    const continues = entry?.membership === 'join' && within && delta.membership !== 'invite'
    const plain = { room, delta, missing: [], timeline: delta.timeline, gap: false }
    if (!continues || !delta.limited || delta.prev === null) return { ...plain, continues }
    if (delta.members !== undefined) return this.#beside(plain)
    const { missing, closed } = await this.#history.closeGap(room, delta.prev)
    return {
      room,
      delta,
      missing,
      timeline: delta.timeline,
      continues: closed,
      gap: !closed,
    }
  }

  /** A room that a window shows anew: it goes on from what is known, or stands apart from it. */
  async #beside(plain: Omit<Prepared, 'continues'>): Promise<Prepared> {
    const { db } = this.#ctx
    for (const { pdu } of plain.timeline)
      if (await this.#parts.timeline.knows(db, plain.room, pdu.event.envelope_id))
        return { ...plain, continues: true }
    return { ...plain, continues: false }
  }

  async #store(response: SyncResponse, rooms: readonly Prepared[]): Promise<void> {
    const { db } = this.#ctx
    const work: ((step: Step) => Promise<void>)[] = []
    for (const message of response.to_device)
      work.push((step) =>
        this.#alone(step, 'to-device', (inner) => this.#parts.toDevice.take(inner, message)),
      )
    for (const room of rooms) work.push(...this.#roomWork(room))
    for (const [room, line] of Object.entries(response.summaries ?? {}))
      work.push((step) => this.#passOver(step, room, line))
    for (const { user_id: userId, display_name: name } of response.profiles)
      work.push((step) => this.#people.rename(step, userId, name))
    work.push((step) => this.#parts.account(step, response))
    work.push((step) => {
      step.put(positionRecord, POSITION, { v: 1, since: response.next })
      return Promise.resolve()
    })
    for (let at = 0; at < work.length; at += BATCH) {
      const batch = work.slice(at, at + BATCH)
      await db.step('sync', async (step) => {
        for (const take of batch) await take(step)
      })
    }
  }

  /** Whatever one thing does, the others are taken in: only a failing store stops them. */
  async #alone(step: Step, what: string, take: (inner: Step) => Promise<void>): Promise<void> {
    try {
      await step.nested(take)
    } catch (error) {
      if (error instanceof EngineError) throw error
      this.#ctx.log('intake.failed', { what, error: error instanceof Error ? error.name : '' })
    }
  }

  #roomWork(prepared: Prepared): ((step: Step) => Promise<void>)[] {
    const { room, delta, missing, timeline, continues } = prepared
    const { state, lapsed } = delta
    const work: ((step: Step) => Promise<void>)[] = []
    const take = (entry: TimelineEntry, restated: boolean): void => {
      work.push((step) =>
        this.#alone(step, 'event', async (inner) => {
          const taken = await this.#rooms.take(inner, room, entry, { restated })
          await this.#keep(inner, room, taken)
        }),
      )
    }
    work.push((step) => this.#enter(step, prepared))
    for (const entry of missing) take(entry, false)
    if (state !== undefined && (continues || missing.length > 0))
      work.push((step) => this.#adopt(step, room, { events: state, lapsed }, givenIn(delta)))
    for (const entry of timeline) take(entry, state !== undefined)
    for (const receipt of delta.receipts)
      work.push((step) =>
        this.#alone(step, 'receipt', (inner) => this.#parts.receipts.take(inner, room, receipt)),
      )
    work.push((step) => this.#leaveIfGone(step, room, delta))
    return work
  }

  /** State before the timeline begins, at first sight. */
  async #enter(step: Step, { room, delta, continues, gap }: Prepared): Promise<void> {
    const { rooms, timeline } = this.#parts
    await this.#introduce(step, room, delta)
    if (delta.state !== undefined && !continues) {
      const { state: events, lapsed } = delta
      await this.#adopt(step, room, { events, lapsed }, givenIn(delta))
      const invited = delta.membership === 'invite'
      const outside = invited || delta.membership === 'knock'
      if (invited) await this.#tellBeginning(step, room)
      await rooms.update(step, room, (entry) => ({
        ...entry,
        partial: delta.members?.whole === false,
        lastActivity: Math.max(entry.lastActivity, outside ? this.#ctx.clock.now() : 0),
        unread: invited && entry.unread === 0 ? 1 : entry.unread,
      }))
      if (!outside && !gap && delta.prev !== null) await timeline.openGap(step, room, delta.prev)
    }
    if (gap) {
      const ts = this.#ctx.clock.now()
      const notice = {
        kind: 'notice',
        key: this.#ctx.newId(),
        ts,
        notice: { what: 'gap' },
      } as const
      await timeline.append(step, room, [notice])
    }
  }

  /** Once: a later invitation finds what was said before it. */
  async #tellBeginning(step: Step, room: string): Promise<void> {
    const { rooms, states, timeline } = this.#parts
    const entry = await rooms.get(step, room)
    if (entry === null || entry.last >= entry.first) return
    const state = await states.get(step, room)
    await timeline.append(step, room, beginningOf(state, this.#ctx.me.member))
  }

  /** What windows say beside state and timeline. */
  async #introduce(step: Step, room: string, delta: RoomDelta): Promise<void> {
    const { rooms, states } = this.#parts
    const before = await rooms.get(step, room)
    const { members, senders, state, lapsed } = delta
    if (senders !== undefined && before?.partial === true)
      await states.adopt(step, room, { events: senders, lapsed }, 'some')
    if (members === undefined || state === undefined || before === null) return
    const { me } = this.#ctx
    const shown = delta.timeline.filter(
      ({ pdu: { envelope } }) =>
        envelope.type === MESSAGE_TYPES.message && envelope.member !== me.member,
    )
    await rooms.update(step, room, (entry) => ({
      ...entry,
      partial: !members.whole && (entry.partial || entry.behind),
      behind: false,
      unseen: Math.max(0, entry.unseen - shown.length),
    }))
  }

  /** Outside of all windows something happened. */
  async #passOver(step: Step, room: string, line: RoomLine): Promise<void> {
    await this.#parts.rooms.update(step, room, (entry) => ({
      ...entry,
      behind: true,
      unseen: entry.unseen + line.unseen,
      lastActivity: Math.max(entry.lastActivity, line.latest ?? 0),
    }))
  }

  async #adopt(step: Step, room: string, told: Told, given: Given): Promise<void> {
    const { states, rooms } = this.#parts
    const state = await states.adopt(step, room, told, given)
    // Nothing of it could be verified: there is no such room here.
    if (creation(state) === null) return
    const before = await rooms.get(step, room)
    const described = describeRoom(room, state, this.#ctx.me.member, before)
    await rooms.put(step, await this.#people.named(step, { ...described, creating: false }))
  }

  async #keep(step: Step, room: string, taken: Taken): Promise<void> {
    const { timeline, reader, receipts, rooms } = this.#parts
    const { me, publish } = this.#ctx
    // Of a room known in part another's view of it can't be judged.
    if (taken.stateDoubtful && (await rooms.get(step, room))?.partial !== true)
      this.#doubtful.add(room)
    await timeline.append(step, room, taken.items)
    const messages = taken.items.filter((item): item is StoredMessage => item.kind === 'message')
    for (const message of messages) {
      await reader.noteActivity(step, room, message)
      const mention = reader.mentionsMe(message.text)
      if (message.member !== me.member)
        step.after(() => {
          publish.notify(room, message, mention)
          this.onSpoken(room, message.member)
        })
    }
    const received = messages.filter(() => taken.received).map(({ envelope }) => envelope)
    await receipts.queue(step, room, received, 'delivered')
    await rooms.update(step, room, (entry) => {
      const latest = latestOf(taken.items)
      return latest > entry.lastActivity ? { ...entry, lastActivity: latest } : entry
    })
  }

  /** After leaving, or being removed, no more of the room is shown: then the node's word must do. */
  async #leaveIfGone(step: Step, room: string, delta: RoomDelta): Promise<void> {
    if (delta.membership !== 'leave' && delta.membership !== 'ban') return
    const banned = delta.membership === 'ban'
    await this.#parts.rooms.update(step, room, (entry) => {
      const said = { by: null, reason: null, envelope: null }
      if (entry.membership !== 'leave') {
        const how = banned ? 'banned' : entry.membership === 'knock' ? 'declined' : 'removed'
        const hidden = entry.membership === 'invite'
        return { ...entry, membership: 'leave', hidden, ended: { how, ...said } }
      }
      const { ended } = entry
      if (ended === null || banned === (ended.how === 'banned')) return entry
      // Who banned stays known of a ban that is lifted from afar.
      const next = banned
        ? { how: 'banned' as const, ...said }
        : { ...ended, how: 'allowed' as const }
      return { ...entry, ended: next }
    })
  }
}

/** Members of whom there is something new. */
function heardIn(response: SyncResponse, rooms: readonly Prepared[]): Set<string> {
  return new Set([
    ...response.to_device.map(({ message }) => message.sender.member),
    ...rooms.flatMap(({ missing, timeline }) =>
      [...missing, ...timeline].map(({ pdu }) => pdu.envelope.member),
    ),
    ...rooms.flatMap(({ delta }) => delta.receipts.map(({ member }) => member)),
  ])
}

function givenIn({ membership, members }: RoomDelta): Given {
  if (membership === 'invite' || membership === 'knock') return 'some'
  return members?.whole === false ? 'part' : 'all'
}

function latestOf(items: readonly StoredItem[]): number {
  return items.reduce((latest, item) => Math.max(latest, item.ts), 0)
}

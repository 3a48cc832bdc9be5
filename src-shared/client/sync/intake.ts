/**
 * Taking in what a sync brought: first everything that must be fetched to judge it, then the events in
 * batches of whole steps, the last of them together with the new position. Only then does the loop ask
 * for more, which is what tells the node that all of it is safe (Sync §8).
 */
import { creation, openState, readContent, STATE_TYPES } from '../../protocol/index.ts'
import type { Pdu, RoomEvent } from '../../protocol/index.ts'
import type { RoomDelta, SyncResponse, TimelineEntry } from '../../api/index.ts'
import { POSITION, positionRecord } from '../account/account-record.ts'
import type { Context } from '../context.ts'
import { EngineError } from '../errors.ts'
import type { Answer } from '../http/api-client.ts'
import { salvageMessages } from '../http/salvage.ts'
import { displayName } from '../devices/contacts.ts'
import type { Receipts } from '../receipts/receipts.ts'
import type { Step } from '../store/database.ts'
import type { StoredItem, StoredMessage } from '../timeline/stored-item.ts'
import { describeRoom } from './room-facts.ts'
import { RoomIntake } from './room-intake.ts'
import type { RoomIntakeParts, Taken } from './room-intake.ts'
import type { ToDeviceIntake } from './to-device-intake.ts'

/** Events in one commit. */
const BATCH = 40
/** Events fetched to close one gap; what lies further back is marked as a gap. */
const MAX_GAP = 20_000
const GAP_PAGE = 200
const BACKFILL_PAGE = 50

export interface SyncIntakeParts extends RoomIntakeParts {
  readonly receipts: Receipts
  readonly toDevice: ToDeviceIntake
  /** The account section; runs in the last step. */
  readonly account: (step: Step, response: SyncResponse) => Promise<void>
}

/** A room's share of a response, ready to be taken in. */
interface Prepared {
  readonly room: string
  readonly delta: RoomDelta
  readonly timeline: readonly TimelineEntry[]
  /** Known before: `state` is not needed and not believed. */
  readonly continues: boolean
  readonly gap: boolean
}

export class Intake {
  readonly #ctx: Context
  readonly #parts: SyncIntakeParts
  readonly #rooms: RoomIntake
  readonly #doubtful = new Set<string>()

  constructor(ctx: Context, parts: SyncIntakeParts) {
    this.#ctx = ctx
    this.#parts = parts
    this.#rooms = new RoomIntake(ctx, parts)
  }

  /** Resolves when everything up to `response.next` is durably stored. Throws `Unanswered`. */
  async take(response: SyncResponse): Promise<void> {
    const rooms: Prepared[] = []
    for (const [room, delta] of Object.entries(response.rooms))
      rooms.push(await this.#prepare(room, delta))
    await this.#meetPeople(response, rooms)
    await this.#store(response, rooms)
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

  /** Rooms whose state is not the node's; asked for once, verified as ever. */
  async #resolveDoubts(): Promise<void> {
    const { api, db, life } = this.#ctx
    for (const room of [...this.#doubtful]) {
      this.#doubtful.delete(room)
      const answer = await api.call('state', { params: { roomId: room }, cancel: life })
      if (!answer.ok) continue
      await this.#meet(answer.value.events)
      await db.step('room.state', (step) => this.#adopt(step, room, answer.value.events))
    }
  }

  async #prepare(room: string, delta: RoomDelta): Promise<Prepared> {
    const { db } = this.#ctx
    const entry = await this.#parts.rooms.get(db, room)
    const state = await this.#parts.states.get(db, room)
    const continues =
      entry?.membership === 'join' && creation(state) !== null && delta.membership !== 'invite'
    if (!continues || !delta.limited || delta.prev === null)
      return { room, delta, timeline: delta.timeline, continues, gap: false }
    const { missing, closed } = await this.#closeGap(room, delta.prev)
    return {
      room,
      delta,
      timeline: [...missing, ...delta.timeline],
      continues: closed,
      gap: !closed,
    }
  }

  /** Goes back to what is known. Wraps are still there: the position has not moved on yet. */
  async #closeGap(
    room: string,
    prev: string,
  ): Promise<{ missing: readonly TimelineEntry[]; closed: boolean }> {
    const { api, db, life } = this.#ctx
    const newestFirst: TimelineEntry[] = []
    let before: string | null = prev
    while (before !== null && newestFirst.length < MAX_GAP) {
      const answer: Answer<'messages'> = await api.call('messages', {
        params: { roomId: room },
        query: { before, limit: GAP_PAGE },
        salvage: salvageMessages,
        cancel: life,
      })
      if (!answer.ok) break
      for (const entry of answer.value.events) {
        const { envelope_id: envelope } = entry.pdu.event
        if (await this.#parts.timeline.knows(db, room, envelope))
          return { missing: newestFirst.reverse(), closed: true }
        newestFirst.push(entry)
      }
      before = answer.value.prev
    }
    return { missing: newestFirst.reverse(), closed: before === null }
  }

  /** Manifests and names of everyone who occurs and is not known as far as they should be. */
  async #meetPeople(response: SyncResponse, rooms: readonly Prepared[]): Promise<void> {
    const { db, me } = this.#ctx
    const { contacts } = this.#parts
    for (const { user_id, member, head, height } of response.manifests)
      if (!(await contacts.knowsHead(db, member, head, height)))
        await contacts.refresh(user_id, member)
    for (const { delta, timeline } of rooms)
      await this.#meet([...(delta.state ?? []), ...timeline.map((entry) => entry.pdu)])
    for (const { user_id: userId, message } of response.to_device) {
      const { member, device } = message.sender
      if (member !== me.member || userId === me.userId)
        if ((await contacts.device(db, member, device)) === null)
          await contacts.refresh(userId, member)
    }
  }

  async #meet(pdus: readonly Pdu[]): Promise<void> {
    const { db } = this.#ctx
    const { contacts, states } = this.#parts
    for (const pdu of pdus) {
      const { type, state_key: member } = pdu.envelope
      if (type !== STATE_TYPES.member && type !== STATE_TYPES.roster) continue
      const event = states.decode(pdu)
      if (event === null || member === undefined) continue
      const roster = readContent(event, STATE_TYPES.roster)
      const stated = roster ?? readContent(event, STATE_TYPES.member)
      if (stated === null) continue
      const known =
        roster === null
          ? (await contacts.manifest(db, member)) !== null
          : await contacts.knowsHead(db, member, roster.head, roster.height)
      if (!known) await this.#getToKnow(stated.user_id, member)
    }
  }

  async #getToKnow(userId: string, member: string): Promise<void> {
    const { api, db, life } = this.#ctx
    const { contacts } = this.#parts
    const refreshed = await contacts.refresh(userId, member)
    const person = await contacts.person(db, member)
    if (!refreshed.ok || person === null || person.name !== '') return
    const profile = await api.call('profile', { params: { userId }, cancel: life })
    if (!profile.ok) return
    await db.step('person', (step) => this.#rename(step, userId, profile.value.display_name))
  }

  async #store(response: SyncResponse, rooms: readonly Prepared[]): Promise<void> {
    const { db } = this.#ctx
    const work: ((step: Step) => Promise<void>)[] = []
    for (const message of response.to_device)
      work.push((step) =>
        this.#alone(step, 'to-device', (inner) => this.#parts.toDevice.take(inner, message)),
      )
    for (const room of rooms) work.push(...this.#roomWork(room))
    for (const { user_id: userId, display_name: name } of response.profiles)
      work.push((step) => this.#rename(step, userId, name))
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
    const { room, delta, timeline, continues, gap } = prepared
    const work: ((step: Step) => Promise<void>)[] = []
    work.push((step) => this.#enter(step, room, delta, continues, gap))
    for (const entry of timeline)
      work.push((step) =>
        this.#alone(step, 'event', async (inner) => {
          await this.#keep(inner, room, await this.#rooms.take(inner, room, entry, null))
        }),
      )
    for (const receipt of delta.receipts)
      work.push((step) =>
        this.#alone(step, 'receipt', (inner) => this.#parts.receipts.take(inner, room, receipt)),
      )
    work.push((step) => this.#leaveIfGone(step, room, delta))
    return work
  }

  /** State before the timeline begins, at first sight. */
  async #enter(
    step: Step,
    room: string,
    delta: RoomDelta,
    continues: boolean,
    gap: boolean,
  ): Promise<void> {
    const { rooms, timeline } = this.#parts
    if (delta.state !== undefined && !continues) {
      await this.#adopt(step, room, delta.state)
      const invited = delta.membership === 'invite'
      await rooms.update(step, room, (entry) => ({
        ...entry,
        older: entry.last < entry.first && !invited ? delta.prev : entry.older,
        lastActivity: Math.max(entry.lastActivity, invited ? this.#ctx.clock.now() : 0),
        unread: invited && entry.unread === 0 ? 1 : entry.unread,
      }))
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

  async #adopt(step: Step, room: string, pdus: readonly Pdu[]): Promise<void> {
    const { states, rooms } = this.#parts
    const state = await states.adopt(step, room, pdus)
    const before = await rooms.get(step, room)
    const described = describeRoom(room, state, this.#ctx.me.member, before)
    await rooms.put(step, await this.#named(step, { ...described, creating: false }))
  }

  /** Fills in the names of those the summary shows. */
  async #named<E extends { peer: Named | null; inviter: Named | null }>(
    step: Step,
    entry: E,
  ): Promise<E> {
    const name = async (one: Named | null): Promise<Named | null> => {
      if (one === null) return null
      const person = await this.#parts.contacts.person(step, one.member)
      return { ...one, name: displayName(person, one.userId) }
    }
    return { ...entry, peer: await name(entry.peer), inviter: await name(entry.inviter) }
  }

  async #keep(step: Step, room: string, taken: Taken): Promise<void> {
    const { timeline, reader, receipts, rooms } = this.#parts
    const { me, publish } = this.#ctx
    if (taken.stateDoubtful) this.#doubtful.add(room)
    await timeline.append(step, room, taken.items)
    const messages = taken.items.filter((item): item is StoredMessage => item.kind === 'message')
    for (const message of messages) {
      await reader.noteActivity(step, room, message)
      const mention = reader.mentionsMe(message.text)
      if (message.member !== me.member)
        step.after(() => {
          publish.notify(room, message, mention)
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
    await this.#parts.rooms.update(step, room, (entry) =>
      entry.membership === 'leave'
        ? entry
        : { ...entry, membership: 'leave', hidden: entry.membership === 'invite' },
    )
  }

  async #rename(step: Step, userId: string, name: string): Promise<void> {
    const { contacts, rooms } = this.#parts
    const member = await contacts.pinned(step, userId)
    if (member === null) return
    await contacts.setName(step, member, userId, name)
    for (const entry of await rooms.all(step))
      if (entry.peer?.member === member || entry.inviter?.member === member)
        await rooms.put(step, await this.#named(step, entry))
  }

  /** One page of what is older than anything stored here. Throws `Unanswered`. */
  async backfill(room: string): Promise<void> {
    const { api, db, life, crypto } = this.#ctx
    const { rooms, states, timeline } = this.#parts
    const before = (await rooms.get(db, room))?.older ?? null
    if (before === null) return
    const query = { before, limit: BACKFILL_PAGE }
    const answer = await api.call('messages', {
      params: { roomId: room },
      query,
      salvage: salvageMessages,
      cancel: life,
    })
    if (!answer.ok) throw new EngineError('not_allowed')
    const { events, auth = [], prev } = answer.value
    const pdus = [...auth, ...events.map((entry) => entry.pdu)]
    await this.#meet(pdus)
    await db.step('backfill', async (step) => {
      if ((await rooms.get(step, room))?.older !== before) return
      const keys = await this.#parts.originKeys.lookup(step)
      const decoded = pdus.flatMap((pdu): RoomEvent[] => {
        const event = states.decode(pdu)
        return event === null ? [] : [event]
      })
      const { refused } = openState(crypto, room, decoded, keys)
      const verdicts = new Map(refused.map(({ event, code }) => [event.id, code]))
      const items: StoredItem[] = []
      for (const entry of [...events].reverse())
        items.push(...(await this.#rooms.take(step, room, entry, verdicts)).items)
      await timeline.prepend(step, room, items)
      await rooms.update(step, room, (entry) => ({ ...entry, older: prev }))
    })
  }
}

interface Named {
  readonly member: string
  readonly userId: string
  readonly name: string
}

function latestOf(items: readonly StoredItem[]): number {
  return items.reduce((latest, item) => Math.max(latest, item.ts), 0)
}

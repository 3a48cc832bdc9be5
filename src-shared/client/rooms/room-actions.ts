/** What a person does to rooms: start, invite, accept, leave, rename, read. Their doors are `door-actions.ts`'s. */
import {
  inviteBody,
  joinBody,
  leaveBody,
  memberPowerBody,
  membershipOf,
  nameBody,
  canInvite,
  canSend,
  creation,
  STATE_TYPES,
  userIdOf,
} from '../../protocol/index.ts'
import type { StateBody } from '../../protocol/index.ts'
import type { Role } from '../../view-model/index.ts'
import type { Context } from '../context.ts'
import { displayName } from '../devices/contacts.ts'
import type { Contacts, Refreshed } from '../devices/contacts.ts'
import type { LookUp, NewGroup } from '../engine-types.ts'
import { EngineError } from '../errors.ts'
import { Unanswered } from '../http/api-client.ts'
import { expectAnswer, refusalError } from '../http/errors.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { Transmitter } from '../outbox/transmitter.ts'
import type { Receipts } from '../receipts/receipts.ts'
import type { Step } from '../store/database.ts'
import { pageKey, pageRecord } from '../timeline/timeline-records.ts'
import { MAX_FIRST_INVITES } from './create-room.ts'
import type { Invitee, RoomMaker, RoomPlan } from './create-room.ts'
import type { RoomList } from './room-list.ts'
import type { RoomEntry } from './room-records.ts'
import type { RoomStates } from './room-states.ts'
import { levelOf, rolesToGive } from './roles.ts'
import { parseWho } from './who.ts'
import type { Who } from './who.ts'

/** How long a leaving can be taken back, in milliseconds. */
const LEAVE_GRACE = 6_000
/** How long a person waits for the node before the action goes on by itself. */
const PATIENCE = 15_000

export interface RoomActionParts {
  readonly contacts: Contacts
  readonly rooms: RoomList
  readonly states: RoomStates
  readonly maker: RoomMaker
  readonly outbox: Outbox
  readonly transmitter: Transmitter
  readonly receipts: Receipts
  readonly readReceipts: () => boolean
}

export class RoomActions {
  readonly #ctx: Context
  readonly #parts: RoomActionParts
  readonly #leaving = new Map<string, () => void>()

  constructor(ctx: Context, parts: RoomActionParts) {
    this.#ctx = ctx
    this.#parts = parts
  }

  async lookUp(text: string): Promise<LookUp> {
    const { db, me } = this.#ctx
    const who = parseWho(text, me.serverName)
    if (who.userId === me.userId) throw new EngineError('yourself')
    const member = await this.#meet(who)
    const known = await this.#hasMet(member)
    const existing = await this.#directWith(member)
    const { userId, server } = who
    const person = await this.#parts.contacts.person(db, member)
    return {
      userId,
      name: displayName(person, userId),
      server,
      known,
      existingRoom: existing?.id ?? null,
    }
  }

  async startDirect(text: string): Promise<{ room: string }> {
    const { me } = this.#ctx
    const who = parseWho(text, me.serverName)
    if (who.userId === me.userId) throw new EngineError('yourself')
    const member = await this.#meet(who)
    const existing = await this.#directWith(member)
    if (existing !== null && (await this.#reach(existing, member, who.userId)))
      return { room: existing.id }
    return {
      room: await this.#make({
        kind: 'direct',
        name: '',
        topic: '',
        historyVisibility: 'joined',
        invite: [{ member, userId: who.userId }],
      }),
    }
  }

  /** Whether the other person is in the room, or can be asked into it once more. */
  async #reach(entry: RoomEntry, member: string, userId: string): Promise<boolean> {
    const { db, me } = this.#ctx
    const state = await this.#parts.states.get(db, entry.id)
    const standing = membershipOf(state, member)
    if (creation(state) === null || standing === 'join' || standing === 'invite') return true
    if (!canInvite(state, me.member, member)) return false
    await this.act(entry.id, inviteBody(member, userId))
    return true
  }

  async createGroup(group: NewGroup): Promise<{ room: string; notInvited: string[] }> {
    const { me } = this.#ctx
    const invite: Invitee[] = []
    const notInvited: string[] = []
    for (const text of group.invite)
      try {
        const who = parseWho(text, me.serverName)
        const member = await this.#meet(who)
        const twice = invite.some((known) => known.member === member)
        if (member !== me.member && !twice) invite.push({ member, userId: who.userId })
      } catch (error) {
        if (!(error instanceof EngineError)) throw error
        notInvited.push(text)
      }
    const { name, topic, historyVisibility } = group
    const first = invite.slice(0, MAX_FIRST_INVITES)
    const room = await this.#make({ kind: 'group', name, topic, historyVisibility, invite: first })
    for (const { member, userId } of invite.slice(MAX_FIRST_INVITES))
      await this.#queue(room, inviteBody(member, userId))
    return { room, notInvited }
  }

  async invite(room: string, text: string): Promise<void> {
    const { db, me } = this.#ctx
    const who = parseWho(text, me.serverName)
    const member = await this.#meet(who)
    const state = await this.#parts.states.get(db, room)
    if (membershipOf(state, member) === 'join' || membershipOf(state, member) === 'invite')
      throw new EngineError('already_exists')
    if (!canInvite(state, me.member, member)) throw new EngineError('not_allowed')
    await this.act(room, inviteBody(member, who.userId))
  }

  async accept(room: string): Promise<void> {
    await this.#entry(room, 'invite')
    const { me, db } = this.#ctx
    await this.act(room, joinBody(me.member, me.userId))
    await db.step('room.accepted', (step) =>
      this.#parts.rooms.update(step, room, (entry) =>
        entry.membership === 'invite' ? { ...entry, membership: 'join', unread: 0 } : entry,
      ),
    )
  }

  async decline(room: string): Promise<void> {
    await this.#entry(room, 'invite')
    await this.leaveNow(room)
  }

  async leave(room: string): Promise<{ leavingAt: number }> {
    const { db, clock } = this.#ctx
    await this.#entry(room)
    const leavingAt = clock.now() + LEAVE_GRACE
    await db.step('room.leaving', (step) =>
      this.#parts.rooms.update(step, room, (entry) => ({ ...entry, leavingAt })),
    )
    this.#leaveAt(room, leavingAt)
    return { leavingAt }
  }

  async undoLeave(room: string): Promise<void> {
    this.#leaving.get(room)?.()
    this.#leaving.delete(room)
    await this.#ctx.db.step('room.staying', (step) =>
      this.#parts.rooms.update(step, room, (entry) => ({ ...entry, leavingAt: null })),
    )
  }

  /** Leavings that were under way when the engine stopped. */
  async resume(): Promise<void> {
    for (const { id, leavingAt } of await this.#parts.rooms.all(this.#ctx.db))
      if (leavingAt !== null) this.#leaveAt(id, leavingAt)
  }

  async rename(room: string, name: string): Promise<void> {
    const { db, me } = this.#ctx
    const state = await this.#parts.states.get(db, room)
    if (!canSend(state, me.member, STATE_TYPES.name, true)) throw new EngineError('not_allowed')
    await this.act(room, nameBody(name))
  }

  /** Not for who has started the room, and nothing above the own power. */
  async setRole(room: string, member: string, role: Role): Promise<void> {
    const { db, me } = this.#ctx
    const state = await this.#parts.states.get(db, room)
    if (!rolesToGive(state, me.member, member).includes(role)) throw new EngineError('not_allowed')
    await this.act(room, memberPowerBody(state, member, levelOf(state, role)))
  }

  async markRead(room: string): Promise<void> {
    const { db } = this.#ctx
    const before = await this.#parts.rooms.get(db, room)
    if (before === null || before.unread + before.unseen + before.mentions === 0) return
    await db.step('room.read', async (step) => {
      await this.#parts.rooms.update(step, room, (entry) => ({
        ...entry,
        unread: 0,
        unseen: 0,
        mentions: 0,
      }))
      if (this.#parts.readReceipts()) await this.#confirmReading(step, before)
    })
  }

  /** Reading the newest message of others implies those before it. */
  async #confirmReading(step: Step, entry: RoomEntry): Promise<void> {
    const page = await step.get(pageRecord, pageKey(entry.id, entry.last))
    const newest = page?.items.findLast(
      (item) =>
        item.kind === 'message' &&
        item.member !== this.#ctx.me.member &&
        item.protection.state === 'protected',
    )
    if (newest?.kind === 'message')
      await this.#parts.receipts.queue(step, entry.id, [newest.envelope], 'read')
  }

  #leaveAt(room: string, at: number): void {
    const { clock, life, log } = this.#ctx
    this.#leaving.get(room)?.()
    const takeBack = clock.after(Math.max(0, at - clock.now()), () => {
      this.#leaving.delete(room)
      if (life.cancelled) return
      this.leaveNow(room).catch((error: unknown) => {
        log('leave.failed', { code: error instanceof EngineError ? error.code : 'unknown' })
      })
    })
    this.#leaving.set(room, takeBack)
    life.onCancel(takeBack)
  }

  /** Gone from the list at once; the envelope leaves when the node can be reached. */
  async leaveNow(room: string): Promise<void> {
    const { db, me, newId } = this.#ctx
    const { outbox, rooms, transmitter } = this.#parts
    const key = newId()
    await db.step('room.leave', async (step) => {
      const entry = await rooms.get(step, room)
      if (entry === null) return
      await rooms.put(step, { ...entry, hidden: true, leavingAt: null, membership: 'leave' })
      for (const waiting of await outbox.lane(step, room))
        if (waiting.sealed === null) await outbox.remove(step, waiting.key)
      const { type, stateKey, content } = leaveBody(me.member, me.userId)
      await outbox.add(step, { key, room, job: { kind: 'state', type, stateKey, content } }, true)
      step.after(() => {
        transmitter.kick(room)
      })
    })
  }

  async #make(plan: RoomPlan): Promise<string> {
    const { db } = this.#ctx
    const { maker, transmitter } = this.#parts
    const { room, key } = await db.step('room.create', (step) => maker.make(step, plan))
    const outcome = transmitter.outcome(key)
    transmitter.kick(room)
    await this.#patiently(outcome)
    return room
  }

  async #queue(room: string, body: StateBody): Promise<string> {
    const { db, newId } = this.#ctx
    const { outbox, transmitter } = this.#parts
    const key = newId()
    const { type, stateKey, content } = body
    await db.step('outbox.state', async (step) => {
      await outbox.add(step, { key, room, job: { kind: 'state', type, stateKey, content } }, true)
      step.after(() => {
        transmitter.kick(room)
      })
    })
    return key
  }

  /** Queued durably, then waited for a while. Throws `EngineError` where the node refuses. */
  async act(room: string, body: StateBody): Promise<void> {
    const key = await this.#queue(room, body)
    await this.#patiently(this.#parts.transmitter.outcome(key))
  }

  /** A silent node is no failure: what is queued goes out when it answers again. */
  async #patiently(outcome: Promise<void>): Promise<void> {
    const { life } = this.#ctx
    await Promise.race([outcome, life.sleep(PATIENCE)])
  }

  async #entry(room: string, membership?: RoomEntry['membership']): Promise<RoomEntry> {
    const entry = await this.#parts.rooms.get(this.#ctx.db, room)
    if (entry === null || (membership !== undefined && entry.membership !== membership))
      throw new EngineError('unknown_room')
    return entry
  }

  async #directWith(member: string): Promise<RoomEntry | null> {
    const all = await this.#parts.rooms.all(this.#ctx.db)
    const direct = all.filter(
      ({ kind, hidden, peer, membership }) =>
        kind === 'direct' && !hidden && membership !== 'leave' && peer?.member === member,
    )
    return direct[0] ?? null
  }

  /** Whether both were ever in a room together; having looked somebody up is no acquaintance. */
  async #hasMet(member: string): Promise<boolean> {
    const { db } = this.#ctx
    for (const { id, peer, preview } of await this.#parts.rooms.all(db)) {
      if (peer?.member === member && preview !== null) return true
      if (membershipOf(await this.#parts.states.get(db, id), member) === 'join') return true
    }
    return false
  }

  /** The account behind a user id, verified; the one that a link pins, or no one. */
  async #meet(who: Who): Promise<string> {
    const { api, db, life } = this.#ctx
    const { contacts } = this.#parts
    let refreshed: Awaited<ReturnType<Contacts['refresh']>>
    try {
      refreshed = await contacts.refresh(who.userId, null)
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error
      // Someone met before can be addressed without the node.
      const pinned = await contacts.pinned(db, who.userId)
      if (pinned === null) throw new EngineError('homeserver_unreachable')
      refreshed = { ok: true, member: pinned }
    }
    if (!refreshed.ok) throw notMet(refreshed)
    const { member } = refreshed
    // Whoever answers is not who made the link: someone stands in between, or the account was reset.
    if (who.fingerprint !== null && who.fingerprint !== member)
      throw new EngineError('identity_mismatch')
    const person = await contacts.person(db, member)
    if (person !== null && person.name === '') {
      const profile = api.call('profile', { params: { userId: who.userId }, cancel: life })
      const { display_name: name } = await expectAnswer(profile).catch(() => ({ display_name: '' }))
      if (name !== '')
        await db.step('person', (step) => contacts.setName(step, member, who.userId, name))
    }
    return member
  }

  /** The user id under which the room knows a member. */
  async userIdIn(room: string, member: string): Promise<string | undefined> {
    return userIdOf(await this.#parts.states.get(this.#ctx.db, room), member)
  }
}

function notMet(failed: Extract<Refreshed, { ok: false }>): EngineError {
  switch (failed.code) {
    case 'unknown_user':
      return new EngineError('unknown_user')
    case 'unreachable':
      return new EngineError('peer_unreachable')
    case 'refused':
      return refusalError(failed.refusal)
    case 'bad_manifest':
      return new EngineError('not_allowed')
  }
}

/**
 * The door of a room (Room state §7): looking at it from outside, asking to come in, answering those who ask,
 * and keeping people out.
 */
import {
  banBody,
  canBan,
  canInvite,
  canJoin,
  canKick,
  canKnock,
  canSend,
  canUnban,
  creation,
  inviteBody,
  joinBody,
  joinedMembers,
  joinRuleOf,
  joinRulesBody,
  kickBody,
  knockBody,
  membershipOf,
  STATE_TYPES,
  userIdOf,
} from '../../protocol/index.ts'
import type { Pdu, RoomState } from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import type { FoundRoom, JoinRule } from '../engine-types.ts'
import { EngineError } from '../errors.ts'
import { expectAnswer } from '../http/errors.ts'
import { describeRoom } from '../sync/room-facts.ts'
import { serverOf } from '../views/item-view.ts'
import { shownName } from '../devices/shown-name.ts'
import type { RoomActions } from './room-actions.ts'
import type { RoomList } from './room-list.ts'
import { parseRoomLink, roomLink } from './room-link.ts'
import type { RoomStates, Told } from './room-states.ts'

export interface DoorParts {
  readonly rooms: RoomList
  readonly states: RoomStates
  readonly actions: RoomActions
  /** Gets to know whom state events name, and the nodes they come from. Throws `Unanswered`. */
  readonly meet: (pdus: readonly Pdu[]) => Promise<void>
}

export class DoorActions {
  readonly #ctx: Context
  readonly #parts: DoorParts

  constructor(ctx: Context, parts: DoorParts) {
    this.#ctx = ctx
    this.#parts = parts
  }

  async lookUp(text: string): Promise<FoundRoom> {
    const { db, me } = this.#ctx
    const { room, via } = parseRoomLink(text)
    const entry = await this.#parts.rooms.get(db, room)
    const inside = entry?.membership === 'join' || entry?.membership === 'invite'
    const state = inside
      ? await this.#parts.states.get(db, room)
      : await this.#fetch(room, via.join(','))
    const created = creation(state)
    if (created === null) throw new EngineError('unknown_room')
    const standing = membershipOf(state, me.member)
    const described = describeRoom(room, state, me.member, null)
    return {
      room,
      name: shownName(described.name),
      topic: described.topic,
      server: serverOf(created.content.creator),
      joinRule: joinRuleOf(state),
      standing: standing === 'leave' || standing === undefined ? 'none' : standing,
    }
  }

  /** Asks to come in, or comes in where everybody may. */
  async enter(text: string): Promise<{ room: string; joined: boolean }> {
    const { db, me, clock } = this.#ctx
    const { rooms, states, actions } = this.#parts
    const { room, via } = parseRoomLink(text)
    const told = await this.#ask(room, via.join(','))
    const state = await db.step('room.door', async (step) => {
      const adopted = await states.adopt(step, room, told, 'some')
      const before = await rooms.get(step, room)
      // Shown once it is known that the node has taken it.
      if (creation(adopted) !== null)
        await rooms.put(step, describeRoom(room, adopted, me.member, before))
      return adopted
    })
    const joined = canJoin(state, me.member)
    if (!joined && !canKnock(state, me.member)) throw new EngineError('not_allowed')
    const body = joined ? joinBody : knockBody
    await actions.act(room, body(me.member, me.userId))
    await db.step('room.entered', (step) =>
      rooms.update(step, room, (entry) =>
        entry.membership === 'leave'
          ? {
              ...entry,
              membership: joined ? 'join' : 'knock',
              hidden: false,
              ended: null,
              lastActivity: Math.max(entry.lastActivity, clock.now()),
            }
          : entry,
      ),
    )
    return { room, joined }
  }

  /** Takes a knock back. */
  async withdraw(room: string): Promise<void> {
    const entry = await this.#parts.rooms.get(this.#ctx.db, room)
    if (entry?.membership !== 'knock') throw new EngineError('unknown_room')
    await this.#parts.actions.leaveNow(room)
  }

  /** A room that is over is no longer in the list. */
  async forget(room: string): Promise<void> {
    await this.#ctx.db.step('room.forgotten', (step) =>
      this.#parts.rooms.update(step, room, (entry) =>
        entry.membership === 'leave' ? { ...entry, hidden: true } : entry,
      ),
    )
  }

  async remove(room: string, member: string, reason: string): Promise<void> {
    const state = await this.#allowed(room, (here, me) => canKick(here, me, member))
    await this.#parts.actions.act(room, kickBody(state, member, reason || undefined))
  }

  async ban(room: string, member: string, reason: string): Promise<void> {
    const state = await this.#allowed(room, (here, me) => canBan(here, me, member))
    await this.#parts.actions.act(room, banBody(state, member, reason || undefined))
  }

  async unban(room: string, member: string): Promise<void> {
    const state = await this.#allowed(room, (here, me) => canUnban(here, me, member))
    await this.#parts.actions.act(room, kickBody(state, member))
  }

  async answer(room: string, member: string, letIn: boolean): Promise<void> {
    const may = letIn ? canInvite : canKick
    const state = await this.#allowed(room, (here, me) => may(here, me, member))
    const userId = userIdOf(state, member)
    if (membershipOf(state, member) !== 'knock' || userId === undefined)
      throw new EngineError('not_allowed')
    const body = letIn ? inviteBody(member, userId) : kickBody(state, member)
    await this.#parts.actions.act(room, body)
  }

  async setJoinRule(room: string, rule: JoinRule): Promise<void> {
    const state = await this.#allowed(room, (here, me) =>
      canSend(here, me, STATE_TYPES.joinRules, true),
    )
    if (joinRuleOf(state) !== rule) await this.#parts.actions.act(room, joinRulesBody(rule))
  }

  async link(room: string): Promise<string> {
    const { db, me } = this.#ctx
    const state = await this.#parts.states.get(db, room)
    const others = joinedMembers(state).map((member) => serverOf(userIdOf(state, member) ?? ''))
    return roomLink(room, [...new Set([me.serverName, ...others])].filter(Boolean))
  }

  async #allowed(room: string, may: (state: RoomState, me: string) => boolean): Promise<RoomState> {
    const { db, me } = this.#ctx
    const state = await this.#parts.states.get(db, room)
    if (!may(state, me.member)) throw new EngineError('not_allowed')
    return state
  }

  async #fetch(room: string, via: string): Promise<RoomState> {
    const told = await this.#ask(room, via)
    return (await this.#parts.states.verify(this.#ctx.db, room, told)).state
  }

  async #ask(room: string, via: string): Promise<Told> {
    const { api, life } = this.#ctx
    const call = api.call('state', { params: { roomId: room }, query: { via }, cancel: life })
    const told = await expectAnswer(call, { M_NOT_FOUND: 'unknown_room' })
    await this.#parts.meet(told.events)
    return told
  }
}

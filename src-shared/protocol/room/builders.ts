/**
 * Bodies and state fields of state envelopes (Room state §7), ready for `sealClearEnvelope`.
 *
 * A body built here fits its schema or is not built. Whether the state allows it is asked of `state.ts`
 * before and of the node after.
 */
import type { Crypto } from '../crypto.ts'
import { toBase64Url } from '../encoding/index.ts'
import type { JsonObject } from '../encoding/index.ts'
import { rosterHash, sealNodeEnvelope } from '../envelope/index.ts'
import type { NodeEnvelope, StateFields } from '../envelope/index.ts'
import { selectBasis } from './auth.ts'
import { contentSchemas, ROOM_VERSION, STATE_TYPES } from './content.ts'
import type {
  ContentByType,
  CreateContent,
  GrantContent,
  HistoryVisibilityContent,
  JoinRulesContent,
  KnownType,
  PowerContent,
  RosterContent,
} from './content.ts'
import { RoomError } from './room-error.ts'
import {
  expectedRosterHash,
  powerLevels,
  roomIdOf,
  rosterOf,
  stateEvent,
  userIdOf,
} from './state.ts'
import type { RoomState, StateKey } from './state.ts'

/** Type, state key and body of a state envelope. */
export interface StateBody extends StateKey {
  readonly content: JsonObject
}

/** Throws `RoomError('bad_content')`. */
export function stateBody<T extends KnownType>(
  type: T,
  stateKey: string,
  content: ContentByType[T],
): StateBody {
  if (!contentSchemas[type].safeParse(content).success) throw new RoomError('bad_content')
  return { type, stateKey, content: content as unknown as JsonObject }
}

export function createBody(
  options: Pick<CreateContent, 'kind' | 'visibility' | 'creator' | 'server' | 'founder'>,
  random: (length: number) => Uint8Array,
): StateBody {
  const { kind, visibility, creator, server, founder } = options
  const nonce = toBase64Url(random(16))
  const version = ROOM_VERSION
  const content = { version, kind, visibility, creator, server, founder, nonce }
  return stateBody(STATE_TYPES.create, '', content)
}

/** Joining, the creator's own first join included. */
export function joinBody(member: string, userId: string): StateBody {
  return stateBody(STATE_TYPES.member, member, { membership: 'join', user_id: userId })
}

export function knockBody(member: string, userId: string): StateBody {
  return stateBody(STATE_TYPES.member, member, { membership: 'knock', user_id: userId })
}

/** Leaving, declining an invitation, taking a knock back. */
export function leaveBody(member: string, userId: string): StateBody {
  return stateBody(STATE_TYPES.member, member, { membership: 'leave', user_id: userId })
}

export function inviteBody(member: string, userId: string): StateBody {
  return stateBody(STATE_TYPES.member, member, { membership: 'invite', user_id: userId })
}

/** Also ends a ban. The member must be known to the room. */
export function kickBody(state: RoomState, member: string, reason?: string): StateBody {
  return removal(state, member, 'leave', reason)
}

export function banBody(state: RoomState, member: string, reason?: string): StateBody {
  return removal(state, member, 'ban', reason)
}

/** The levels of a new room: members speak and (in a group) invite, moderators 50, admins 100. */
export function powerBody(levels: Partial<PowerContent> = {}): StateBody {
  return stateBody(STATE_TYPES.power, '', { ...INITIAL_POWER, ...levels })
}

/** The current levels with one member's changed; the default's value takes the member off the list. */
export function memberPowerBody(state: RoomState, member: string, level: number): StateBody {
  const levels = powerLevels(state)
  const members = { ...levels.members }
  if (level === levels.default) delete members[member]
  else members[member] = level
  return stateBody(STATE_TYPES.power, '', { ...levels, members })
}

export const INITIAL_POWER: PowerContent = {
  members: {},
  default: 0,
  events: { [STATE_TYPES.power]: 100, [STATE_TYPES.historyVisibility]: 100 },
  invite: 0,
  kick: 50,
  ban: 50,
  redact: 50,
  state_default: 50,
}

export function joinRulesBody(rule: JoinRulesContent['join_rule']): StateBody {
  return stateBody(STATE_TYPES.joinRules, '', { join_rule: rule })
}

export function historyVisibilityBody(
  visibility: HistoryVisibilityContent['history_visibility'],
): StateBody {
  const content = { history_visibility: visibility }
  return stateBody(STATE_TYPES.historyVisibility, '', content)
}

export function nameBody(name: string): StateBody {
  return stateBody(STATE_TYPES.name, '', { name })
}

export function topicBody(topic: string): StateBody {
  return stateBody(STATE_TYPES.topic, '', { topic })
}

/** `member`: the bot's fingerprint. */
export function grantBody(member: string, grant: GrantContent): StateBody {
  return stateBody(STATE_TYPES.grant, member, grant)
}

/** What the draft of an envelope by `member` takes from the state it is made at. */
export interface StatePosition {
  readonly room: string
  readonly roster: string
  readonly state: StateFields
}

/**
 * Where a state envelope by a device of `member` belongs: at exactly this state. An envelope that is made
 * at another is refused with 409 and sealed anew.
 */
export function statePosition(
  crypto: Crypto,
  state: RoomState,
  member: string,
  key: StateKey,
): StatePosition {
  const { type, stateKey } = key
  return {
    room: type === STATE_TYPES.create ? '' : roomIdOf(state),
    roster: expectedRosterHash(crypto, state, member),
    state: {
      state_key: stateKey,
      replaces: stateEvent(state, type, stateKey)?.envelopeId ?? null,
      basis: selectBasis(state, key, member).map((event) => event.envelopeId),
    },
  }
}

/**
 * The roster that `node` states for a member it is home to. `seq` is the manifest's height and `prev_own`
 * the roster before: a node has no device counter of its own.
 */
export function sealRoster(options: {
  readonly crypto: Crypto
  readonly state: RoomState
  readonly node: string
  readonly member: string
  readonly content: RosterContent
  /** Milliseconds. */
  readonly now: number
}): NodeEnvelope {
  const { crypto, state, node, member, content, now } = options
  const { type, content: body } = stateBody(STATE_TYPES.roster, member, content)
  const before = stateEvent(state, type, member)?.envelopeId ?? null
  const result = sealNodeEnvelope({
    crypto,
    node,
    member,
    draft: {
      room: roomIdOf(state),
      seq: content.height,
      prev_own: before,
      type,
      ts: now,
      roster: rosterHash(crypto, []),
    },
    state: { state_key: member, replaces: before, basis: [] },
    content: body,
  })
  if (!result.ok) throw new RoomError('bad_content')
  return result.sealed
}

/** Whether the home node has to state a (newer) roster of `member` before it lets its device act. */
export function needsRoster(state: RoomState, member: string, height: number): boolean {
  const stated = stateEvent(state, STATE_TYPES.roster, member)
  return stated === undefined || (rosterOf(state, member)?.height ?? -1) < height
}

function removal(
  state: RoomState,
  member: string,
  membership: 'leave' | 'ban',
  reason: string | undefined,
): StateBody {
  const userId = userIdOf(state, member)
  if (userId === undefined) throw new RoomError('bad_content')
  const content = { membership, user_id: userId }
  const withReason = reason === undefined ? content : { ...content, reason }
  return stateBody(STATE_TYPES.member, member, withReason)
}

/**
 * The state of a room as a value (Room state §7), and the questions asked of it.
 *
 * Node and client decide with the same functions; `auth.ts` builds its verdicts on them. It knows
 * neither signatures nor the graph: what is applied here has been accepted elsewhere.
 */
import type { Crypto } from '../crypto.ts'
import { parseUserId } from '../encoding/index.ts'
import { rosterHash } from '../envelope/index.ts'
import type { RosterPair } from '../envelope/index.ts'
import { STATE_TYPES } from './content.ts'
import type {
  CreateContent,
  HistoryVisibilityContent,
  JoinRulesContent,
  KnownType,
  Membership,
  PowerContent,
  RosterDevice,
} from './content.ts'
import { readContent } from './event.ts'
import type { RoomEvent } from './event.ts'
import { RoomError } from './room-error.ts'

/** Immutable; two states are compared by `sameState`. */
export interface RoomState {
  /** type → state key → the current event. */
  readonly events: ReadonlyMap<string, ReadonlyMap<string, RoomEvent>>
}

export const emptyState: RoomState = { events: new Map() }

export interface StateKey {
  readonly type: string
  readonly stateKey: string
}

export interface Member {
  readonly member: string
  readonly userId: string
  readonly server: string
  readonly membership: Membership
}

export interface Roster {
  readonly member: string
  readonly userId: string
  readonly head: string
  readonly height: number
  /** The active devices' signing keys in base64url, as the home node states them. */
  readonly devices: readonly RosterDevice[]
}

/** Above every listed power. */
export const CREATOR_POWER = Number.MAX_SAFE_INTEGER

/** In force until the first `e.room.power`: the creator does everything, members may speak. */
export const DEFAULT_POWER: PowerContent = {
  members: {},
  default: 0,
  events: {},
  invite: 100,
  kick: 100,
  ban: 100,
  redact: 100,
  state_default: 100,
}

/** The state with `event` in place; other events than state events change nothing. */
export function applyEvent(state: RoomState, event: RoomEvent): RoomState {
  const { type, state_key } = event.header
  if (state_key === undefined) return state
  const ofType = new Map(state.events.get(type)).set(state_key, event)
  return { events: new Map(state.events).set(type, ofType) }
}

/** The state with nothing under the event's key. */
export function withoutEvent(state: RoomState, { header }: RoomEvent): RoomState {
  const ofType = new Map(state.events.get(header.type))
  ofType.delete(header.state_key ?? '')
  return { events: new Map(state.events).set(header.type, ofType) }
}

export function stateOf(events: Iterable<RoomEvent>): RoomState {
  let state = emptyState
  for (const event of events) state = applyEvent(state, event)
  return state
}

export function stateEvent(state: RoomState, type: string, stateKey = ''): RoomEvent | undefined {
  return state.events.get(type)?.get(stateKey)
}

/** Every current state event, by type, then state key. */
export function stateEvents(state: RoomState): RoomEvent[] {
  return sortedEntries(state.events).flatMap(([, ofType]) =>
    sortedEntries(ofType).map(([, event]) => event),
  )
}

export function sameState(a: RoomState, b: RoomState): boolean {
  const ids = (state: RoomState): string =>
    stateEvents(state)
      .map((event) => event.id)
      .join(' ')
  return a === b || ids(a) === ids(b)
}

function content<T extends KnownType>(state: RoomState, type: T, stateKey = '') {
  const event = stateEvent(state, type, stateKey)
  return event === undefined ? null : readContent(event, type)
}

export interface Creation {
  readonly roomId: string
  readonly creator: string
  /** The device that sealed the create envelope. */
  readonly device: string
  readonly content: CreateContent
}

/** Null before the create event. */
export function creation(state: RoomState): Creation | null {
  const event = stateEvent(state, STATE_TYPES.create)
  const body = event === undefined ? null : readContent(event, STATE_TYPES.create)
  if (event === undefined || body === null || event.header.device === null) return null
  const { member, device } = event.header
  return { roomId: event.roomId, creator: member, device, content: body }
}

/** Throws `RoomError('no_room')` before the create event. */
export function roomIdOf(state: RoomState): string {
  const created = creation(state)
  if (created === null) throw new RoomError('no_room')
  return created.roomId
}

/** Undefined for someone the room has never heard of. */
export function membershipOf(state: RoomState, member: string): Membership | undefined {
  return content(state, STATE_TYPES.member, member)?.membership
}

export function isJoined(state: RoomState, member: string): boolean {
  return membershipOf(state, member) === 'join'
}

/** Everyone the room has heard of, by member id. */
export function members(state: RoomState): Member[] {
  return sortedEntries(
    state.events.get(STATE_TYPES.member) ?? new Map<string, RoomEvent>(),
  ).flatMap(([member, event]) => {
    const body = readContent(event, STATE_TYPES.member)
    if (body === null) return []
    const { membership, user_id: userId } = body
    return [{ member, userId, server: parseUserId(userId)?.server ?? '', membership }]
  })
}

/** Member ids, ascending. */
export function joinedMembers(state: RoomState): string[] {
  return members(state).flatMap(({ member, membership }) => (membership === 'join' ? [member] : []))
}

/** The user id under which the room knows a member; undefined for a stranger. */
export function userIdOf(state: RoomState, member: string): string | undefined {
  const known =
    content(state, STATE_TYPES.roster, member)?.user_id ??
    content(state, STATE_TYPES.member, member)?.user_id
  if (known !== undefined) return known
  const created = creation(state)
  return created?.creator === member ? created.content.creator : undefined
}

/** The node that speaks for a member; undefined for a stranger. */
export function homeServerOf(state: RoomState, member: string): string | undefined {
  const userId = userIdOf(state, member)
  return userId === undefined ? undefined : parseUserId(userId)?.server
}

/** The current roster; for a creator without one, what the create event states of its founder. */
export function rosterOf(state: RoomState, member: string): Roster | null {
  const stated = content(state, STATE_TYPES.roster, member)
  if (stated !== null) {
    const { user_id: userId, head, height, devices } = stated
    return { member, userId, head, height, devices }
  }
  const created = creation(state)
  if (created?.creator !== member) return null
  const { creator: userId, founder } = created.content
  const devices = [{ id: created.device, ed25519: founder.ed25519 }]
  return { member, userId, head: founder.head, height: founder.height, devices }
}

/** The signing key of an active device, in base64url. */
export function deviceKeyOf(state: RoomState, member: string, device: string): string | undefined {
  return rosterOf(state, member)?.devices.find((listed) => listed.id === device)?.ed25519
}

/** Manifest heads of the joined members, by member id. */
export function rosterPairs(state: RoomState): RosterPair[] {
  return joinedMembers(state).flatMap((member) => {
    const roster = rosterOf(state, member)
    return roster === null ? [] : [{ member, head: roster.head }]
  })
}

const rosterHashes = new WeakMap<RoomState, string>()

/** The hash of `rosterPairs`: what a joined member's envelope states as `roster`. */
export function currentRosterHash(crypto: Crypto, state: RoomState): string {
  const known = rosterHashes.get(state)
  if (known !== undefined) return known
  const hash = rosterHash(crypto, rosterPairs(state))
  rosterHashes.set(state, hash)
  return hash
}

/**
 * What an envelope by `member` must state as `roster` at this state: the current roster hash of a joined
 * member, the hash of the empty list of anyone else, who may not know (creating, joining, declining).
 */
export function expectedRosterHash(crypto: Crypto, state: RoomState, member: string): string {
  return isJoined(state, member) ? currentRosterHash(crypto, state) : rosterHash(crypto, [])
}

export function powerLevels(state: RoomState): PowerContent {
  return content(state, STATE_TYPES.power) ?? DEFAULT_POWER
}

export function powerOf(state: RoomState, member: string): number {
  if (creation(state)?.creator === member) return CREATOR_POWER
  return powerIn(powerLevels(state), member)
}

/** As listed; knows no creator. */
export function powerIn(levels: PowerContent, member: string): number {
  return Object.hasOwn(levels.members, member)
    ? (levels.members[member] ?? levels.default)
    : levels.default
}

/** Power needed to send `type`. */
export function neededPower(levels: PowerContent, type: string, asState: boolean): number {
  const listed = Object.hasOwn(levels.events, type) ? levels.events[type] : undefined
  return listed ?? (asState ? levels.state_default : 0)
}

export function joinRuleOf(state: RoomState): JoinRulesContent['join_rule'] {
  return content(state, STATE_TYPES.joinRules)?.join_rule ?? 'invite'
}

export function historyVisibilityOf(
  state: RoomState,
): HistoryVisibilityContent['history_visibility'] {
  return content(state, STATE_TYPES.historyVisibility)?.history_visibility ?? 'joined'
}

/** Whether a joined member may send a message type, or set state of a type that has no rules of its own. */
export function canSend(state: RoomState, member: string, type: string, asState = false): boolean {
  const needed = neededPower(powerLevels(state), type, asState)
  return isJoined(state, member) && powerOf(state, member) >= needed
}

export function canInvite(state: RoomState, member: string, target: string): boolean {
  const current = membershipOf(state, target)
  return (
    member !== target &&
    current !== 'join' &&
    current !== 'ban' &&
    hasPower(state, member, powerLevels(state).invite)
  )
}

export function canJoin(state: RoomState, member: string): boolean {
  const current = membershipOf(state, member)
  if (current === 'ban') return false
  if (current === 'invite' || current === 'join' || joinRuleOf(state) === 'public') return true
  return current === undefined && creation(state)?.creator === member
}

export function canKnock(state: RoomState, member: string): boolean {
  const current = membershipOf(state, member)
  return joinRuleOf(state) === 'knock' && (current === undefined || current === 'leave')
}

/** Leaving, declining an invitation, taking a knock back. */
export function canLeave(state: RoomState, member: string): boolean {
  const current = membershipOf(state, member)
  return current === 'join' || current === 'invite' || current === 'knock'
}

/** Removing, withdrawing an invitation, refusing a knock. */
export function canKick(state: RoomState, member: string, target: string): boolean {
  return (
    canLeave(state, target) &&
    outranks(state, member, target) &&
    hasPower(state, member, powerLevels(state).kick)
  )
}

export function canBan(state: RoomState, member: string, target: string): boolean {
  return outranks(state, member, target) && hasPower(state, member, powerLevels(state).ban)
}

export function canUnban(state: RoomState, member: string, target: string): boolean {
  return membershipOf(state, target) === 'ban' && canBan(state, member, target)
}

/** `author`: the member whose message would lose its body. */
export function canRedact(state: RoomState, member: string, author: string): boolean {
  return (
    canSend(state, member, 'e.redaction') &&
    (member === author || hasPower(state, member, powerLevels(state).redact))
  )
}

/** Whether `member` may give `target` the power `level`. */
export function canSetPower(
  state: RoomState,
  member: string,
  target: string,
  level: number,
): boolean {
  return (
    canSend(state, member, STATE_TYPES.power, true) &&
    creation(state)?.creator !== target &&
    (member === target || outranks(state, member, target)) &&
    level <= powerOf(state, member)
  )
}

/** Strictly: equals can do nothing to each other. */
export function outranks(state: RoomState, member: string, target: string): boolean {
  return member !== target && powerOf(state, member) > powerOf(state, target)
}

function hasPower(state: RoomState, member: string, needed: number): boolean {
  return isJoined(state, member) && powerOf(state, member) >= needed
}

function sortedEntries<T>(map: ReadonlyMap<string, T>): (readonly [string, T])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

/**
 * Auth rules (Who can read §6, Room state §7): whether a state allows an event. Structural validity,
 * the same on every node; trust (pinning, verification, waits) is the client's own and not known here.
 *
 * Signatures, hashes and the event's place in the graph are `accept.ts`'s.
 */
import { isFingerprint, parseUserId } from '../encoding/index.ts'
import { ENVELOPE_SUITE } from '../envelope/index.ts'
import type { EnvelopeHeader } from '../envelope/index.ts'
import { isKnownType, MESSAGE_TYPES, ROOM_VERSION, STATE_TYPES } from './content.ts'
import type { PowerContent } from './content.ts'
import { isRedactable, isState, readContent } from './event.ts'
import type { RoomEvent } from './event.ts'
import {
  canBan,
  canInvite,
  canJoin,
  canKick,
  canKnock,
  canLeave,
  canRedact,
  canSend,
  canUnban,
  creation,
  CREATOR_POWER,
  deviceKeyOf,
  homeServerOf,
  isJoined,
  joinRuleOf,
  membershipOf,
  neededPower,
  powerIn,
  powerLevels,
  powerOf,
  rosterOf,
  stateEvent,
  userIdOf,
} from './state.ts'
import type { Creation, RoomState, StateKey } from './state.ts'

export type AuthCode =
  /** Type, state key, transport and maker do not go together. */
  | 'bad_header'
  | 'bad_content'
  | 'no_room'
  | 'room_exists'
  | 'wrong_room'
  | 'unsupported_version'
  /** Not sent by the node that speaks for the member. */
  | 'wrong_origin'
  /** The sealing device is not among the member's active devices. */
  | 'device_not_listed'
  | 'not_joined'
  | 'power_too_low'
  /** Kick, ban and demotion need strictly greater power. */
  | 'not_outranked'
  | 'creator_immutable'
  | 'not_invited'
  | 'banned'
  | 'bad_transition'
  | 'user_id_changed'
  /** A roster that does not extend the one before it. */
  | 'roster_rollback'
  /** A creator's first roster that is not the one the create event states. */
  | 'founder_mismatch'

export type AuthResult = { readonly ok: true } | { readonly ok: false; readonly code: AuthCode }

const allowed: AuthResult = { ok: true }
const refused = (code: AuthCode): AuthResult => ({ ok: false, code })

const SINGLETONS: ReadonlySet<string> = new Set([
  STATE_TYPES.create,
  STATE_TYPES.power,
  STATE_TYPES.joinRules,
  STATE_TYPES.historyVisibility,
  STATE_TYPES.name,
  STATE_TYPES.topic,
  STATE_TYPES.avatar,
])
const KEYED_BY_MEMBER: ReadonlySet<string> = new Set([
  STATE_TYPES.member,
  STATE_TYPES.roster,
  STATE_TYPES.grant,
])
const STATE_ONLY: ReadonlySet<string> = new Set(Object.values(STATE_TYPES))
const NEVER_STATE: ReadonlySet<string> = new Set(Object.values(MESSAGE_TYPES))

/** What of the state decides on an event: its `auth_events` are the current events under these keys. */
export function authKeysFor(header: EnvelopeHeader): StateKey[] {
  const { type, member, state_key: stateKey } = header
  if (type === STATE_TYPES.create) return []
  const keys: StateKey[] = [
    { type: STATE_TYPES.create, stateKey: '' },
    { type: STATE_TYPES.power, stateKey: '' },
    { type: STATE_TYPES.member, stateKey: member },
    { type: STATE_TYPES.roster, stateKey: member },
  ]
  if (type === STATE_TYPES.roster || type === STATE_TYPES.member)
    keys.push({ type: STATE_TYPES.joinRules, stateKey: '' })
  if (type === STATE_TYPES.member && stateKey !== undefined && stateKey !== member)
    keys.push({ type: STATE_TYPES.member, stateKey }, { type: STATE_TYPES.roster, stateKey })
  return keys
}

/** The events under `authKeysFor` in this state. */
export function selectAuthEvents(state: RoomState, header: EnvelopeHeader): RoomEvent[] {
  return authKeysFor(header).flatMap(({ type, stateKey }) => {
    const event = stateEvent(state, type, stateKey)
    return event === undefined ? [] : [event]
  })
}

/**
 * Envelopes that a device-made state envelope must name in `basis`: the sender's membership and the power
 * levels it acts under. Of one's own membership nothing but `replaces` is asked.
 */
export function selectBasis(
  state: RoomState,
  { type, stateKey }: StateKey,
  member: string,
): RoomEvent[] {
  if (type === STATE_TYPES.create || type === STATE_TYPES.roster) return []
  if (type === STATE_TYPES.member && stateKey === member) return []
  const membership = stateEvent(state, STATE_TYPES.member, member)
  const power = type === STATE_TYPES.power ? undefined : stateEvent(state, STATE_TYPES.power)
  return [membership, power].flatMap((event) => event ?? [])
}

/** Whether `state` allows `event`. */
export function checkAuth(event: RoomEvent, state: RoomState): AuthResult {
  const { header } = event
  if (!hasGoodHeader(header)) return refused('bad_header')
  if (!hasGoodContent(event)) return refused('bad_content')
  if (header.type === STATE_TYPES.create) return checkCreate(event, state)

  const created = creation(state)
  if (created === null) return refused('no_room')
  if (event.roomId !== created.roomId) return refused('wrong_room')
  if (header.device === null) return checkRoster(event, state, created)

  if (deviceKeyOf(state, header.member, header.device) === undefined)
    return refused('device_not_listed')
  if (homeServerOf(state, header.member) !== event.pdu.event.origin) return refused('wrong_origin')
  if (header.type === STATE_TYPES.member) return checkMember(event, state)
  if (!isJoined(state, header.member)) return refused('not_joined')
  if (!canSend(state, header.member, header.type, isState(event))) return refused('power_too_low')
  return header.type === STATE_TYPES.power ? checkPower(event, state, created) : allowed
}

/** Whether an accepted redaction takes the body of `target`; `state` is the one the redaction met. */
export function redactionApplies(
  redaction: RoomEvent,
  target: RoomEvent,
  state: RoomState,
): boolean {
  return (
    readContent(redaction, MESSAGE_TYPES.redaction)?.target === target.envelopeId &&
    redaction.roomId === target.roomId &&
    isRedactable(target) &&
    canRedact(state, redaction.header.member, target.header.member)
  )
}

function hasGoodHeader(header: EnvelopeHeader): boolean {
  const { type, state_key: stateKey, transport, device } = header
  if ((type === STATE_TYPES.roster) !== (device === null)) return false
  if (stateKey === undefined)
    return !STATE_ONLY.has(type) && (type !== MESSAGE_TYPES.redaction || transport === 'clear')
  if (NEVER_STATE.has(type) || transport !== 'clear') return false
  if (header.suite !== ENVELOPE_SUITE) return false
  if (SINGLETONS.has(type)) return stateKey === ''
  return !KEYED_BY_MEMBER.has(type) || isFingerprint(stateKey)
}

/** A body that redaction may take is good when it is gone; every other known body must fit its schema. */
function hasGoodContent(event: RoomEvent): boolean {
  const { type } = event.header
  if (!isKnownType(type)) return true
  if (event.body === null) return isRedactable(event)
  return readContent(event, type) !== null
}

function checkCreate(event: RoomEvent, state: RoomState): AuthResult {
  const { header, pdu } = event
  const body = readContent(event, STATE_TYPES.create)
  if (body === null) return refused('bad_content')
  if (state.events.size > 0) return refused('room_exists')
  if (header.replaces !== null || header.basis?.length !== 0) return refused('bad_header')
  if (pdu.event.prev_events.length + pdu.event.auth_events.length > 0) return refused('room_exists')
  if (body.version !== ROOM_VERSION) return refused('unsupported_version')
  const home = parseUserId(body.creator)?.server
  return home === body.server && home === pdu.event.origin ? allowed : refused('wrong_origin')
}

/**
 * A roster comes before the join whose device signature it lets others check: so it is allowed for
 * members, for the invited, for the creator, and for anyone where anyone may join or knock.
 */
function checkRoster(event: RoomEvent, state: RoomState, created: Creation): AuthResult {
  const { header, pdu } = event
  const member = header.state_key
  const body = readContent(event, STATE_TYPES.roster)
  if (body === null) return refused('bad_content')
  if (member !== header.member) return refused('bad_header')
  const home = parseUserId(body.user_id)?.server
  if (home !== pdu.event.origin || home !== header.node) return refused('wrong_origin')
  const known = userIdOf(state, member)
  if (known !== undefined && known !== body.user_id) return refused('user_id_changed')

  const membership = membershipOf(state, member)
  const open = joinRuleOf(state) !== 'invite'
  if (membership === 'ban') return refused('banned')
  if (member !== created.creator && (membership === undefined || membership === 'leave') && !open)
    return refused('not_invited')

  const before = rosterOf(state, member)
  if (before === null) return allowed
  if (stateEvent(state, STATE_TYPES.roster, member) === undefined) {
    const founding = before.devices[0]
    const listed = body.devices.some(
      (device) => device.id === founding?.id && device.ed25519 === founding.ed25519,
    )
    return body.head === before.head && body.height === before.height && listed
      ? allowed
      : refused('founder_mismatch')
  }
  // Entries are chained by hash: another height has another head, and only a greater one extends.
  return body.height > before.height && body.head !== before.head
    ? allowed
    : refused('roster_rollback')
}

function checkMember(event: RoomEvent, state: RoomState): AuthResult {
  const { member: sender, state_key: target } = event.header
  const body = readContent(event, STATE_TYPES.member)
  if (body === null || target === undefined) return refused('bad_content')
  const current = stateEvent(state, STATE_TYPES.member, target)
  const stated = current === undefined ? undefined : readContent(current, STATE_TYPES.member)
  // Once a home node has spoken for a member no other node can take its place; until then a new
  // invitation may correct where the invited one lives.
  const fixed =
    rosterOf(state, target)?.userId ?? (body.membership === 'invite' ? undefined : stated?.user_id)
  if (fixed !== undefined && fixed !== body.user_id) return refused('user_id_changed')
  return sender === target
    ? checkOwnMembership(body.membership, state, sender)
    : checkMembershipOf(body.membership, state, sender, target)
}

function checkOwnMembership(membership: string, state: RoomState, member: string): AuthResult {
  if (membershipOf(state, member) === 'ban') return refused('banned')
  switch (membership) {
    case 'join':
      return canJoin(state, member) ? allowed : refused('not_invited')
    case 'leave':
      return canLeave(state, member) ? allowed : refused('bad_transition')
    case 'knock':
      return canKnock(state, member) ? allowed : refused('bad_transition')
    default:
      return refused('bad_transition')
  }
}

function checkMembershipOf(
  membership: string,
  state: RoomState,
  sender: string,
  target: string,
): AuthResult {
  if (!isJoined(state, sender)) return refused('not_joined')
  const current = membershipOf(state, target)
  const outranked = powerOf(state, sender) > powerOf(state, target)
  switch (membership) {
    case 'invite':
      if (current === 'ban') return refused('banned')
      if (current === 'join') return refused('bad_transition')
      return canInvite(state, sender, target) ? allowed : refused('power_too_low')
    case 'leave':
      if (current === undefined || current === 'leave') return refused('bad_transition')
      if (!outranked) return refused('not_outranked')
      return canKick(state, sender, target) || canUnban(state, sender, target)
        ? allowed
        : refused('power_too_low')
    case 'ban':
      if (!outranked) return refused('not_outranked')
      return canBan(state, sender, target) ? allowed : refused('power_too_low')
    default:
      return refused('bad_transition')
  }
}

function checkPower(event: RoomEvent, state: RoomState, created: Creation): AuthResult {
  const next = readContent(event, STATE_TYPES.power)
  if (next === null) return refused('bad_content')
  if (Object.hasOwn(next.members, created.creator)) return refused('creator_immutable')
  const sender = event.header.member
  const own = powerOf(state, sender)
  if (own === CREATOR_POWER) return allowed
  const before = powerLevels(state)

  for (const [old, now] of changedLevels(before, next))
    if (old > own || now > own) return refused('power_too_low')
  // The default is the power of everyone unlisted: lowering it demotes them all.
  if (before.default !== next.default && (before.default >= own || next.default > own))
    return refused(before.default >= own ? 'not_outranked' : 'power_too_low')
  const listed = new Set([...Object.keys(before.members), ...Object.keys(next.members)])
  for (const member of listed) {
    const old = powerIn(before, member)
    const now = powerIn(next, member)
    if (old === now && isListed(before, member) === isListed(next, member)) continue
    if (now > own) return refused('power_too_low')
    if (member !== sender && old >= own) return refused('not_outranked')
  }
  return allowed
}

/** Old and new value of every threshold that differs. */
function changedLevels(before: PowerContent, next: PowerContent): [number, number][] {
  const names = ['invite', 'kick', 'ban', 'redact', 'state_default'] as const
  const pairs: [number, number][] = names.map((name) => [before[name], next[name]])
  const types = new Set([...Object.keys(before.events), ...Object.keys(next.events)])
  for (const type of types)
    // A type that these rules don't know may be sent as state or as a message, and needs differ.
    for (const asState of [true, false]) {
      if ((asState ? NEVER_STATE : STATE_ONLY).has(type)) continue
      pairs.push([neededPower(before, type, asState), neededPower(next, type, asState)])
    }
  return pairs.filter(([old, now]) => old !== now)
}

function isListed(levels: PowerContent, member: string): boolean {
  return Object.hasOwn(levels.members, member)
}

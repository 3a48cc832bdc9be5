/**
 * Accepting an event into the graph (Two objects §5, Room state §7): signatures, its auth events, and what
 * must hold at its own parents. Every node that has an event's ancestors comes to the same verdict.
 */
import type { Crypto } from '../crypto.ts'
import { fromBase64Url } from '../encoding/index.ts'
import { rosterHash, verifyEnvelope } from '../envelope/index.ts'
import { checkAuth, selectAuthEvents, selectBasis } from './auth.ts'
import type { AuthCode } from './auth.ts'
import { STATE_TYPES } from './content.ts'
import { arrivedHeader, isState, readContent, verifyEventSignature } from './event.ts'
import type { RoomEvent } from './event.ts'
import { deviceKeyOf, expectedRosterHash, stateEvent, stateEvents, stateOf } from './state.ts'
import type { RoomState } from './state.ts'

export type AcceptCode =
  | AuthCode
  | 'bad_event_signature'
  | 'bad_envelope_signature'
  /** A device key that is not canonical, of small order or with a torsion component. */
  | 'inadmissible_key'
  /** Not the current events of the state at the parents, no more and no fewer. */
  | 'wrong_auth_events'
  | 'no_parents'
  | 'earlier_than_parent'
  /** `replaces` is not current: someone changed the same state in between. */
  | 'replaces_stale'
  /** `basis` names what is not current, or leaves out what it must name. */
  | 'basis_stale'
  | 'roster_mismatch'

export type AcceptResult = { readonly ok: true } | { readonly ok: false; readonly code: AcceptCode }

export interface AcceptContext {
  /** The events that `auth_events` names, all accepted. */
  readonly authEvents: readonly RoomEvent[]
  /** The events that `prev_events` names, all accepted. */
  readonly parents: readonly RoomEvent[]
  /** The resolved state at the parents. */
  readonly stateBefore: RoomState
  /** The origin's Ed25519 key that `event_sig.key_id` names. */
  readonly originKey: Uint8Array
}

const accepted: AcceptResult = { ok: true }
const refused = (code: AcceptCode): AcceptResult => ({ ok: false, code })

/** The whole check, in the order in which it is cheapest to refuse. */
export function checkEvent(crypto: Crypto, event: RoomEvent, context: AcceptContext): AcceptResult {
  if (!verifyEventSignature(crypto, event.pdu, context.originKey))
    return refused('bad_event_signature')
  const byAuthEvents = checkAgainstAuthEvents(crypto, event, context.authEvents)
  return byAuthEvents.ok
    ? checkAtParents(crypto, event, context.parents, context.stateBefore)
    : byAuthEvents
}

/**
 * What needs no more than the event's auth events: keys, the auth rules, the device's signature. `authEvents`
 * must be the events that it names; whether they were the right ones to name shows at its parents.
 */
export function checkAgainstAuthEvents(
  crypto: Crypto,
  event: RoomEvent,
  authEvents: readonly RoomEvent[],
): AcceptResult {
  const named = event.pdu.event.auth_events
  const given = authEvents.map((auth) => auth.id).sort()
  const state = stateOf(authEvents)
  // As many keys as events: none stands twice, and none is without a state key.
  if (given.join() !== named.join() || stateEvents(state).length !== given.length)
    return refused('wrong_auth_events')
  if (!hasAdmissibleKeys(crypto, event)) return refused('inadmissible_key')
  const auth = checkAuth(event, state)
  if (!auth.ok) return auth
  return verifyDeviceSignature(crypto, event, state) ? accepted : refused('bad_envelope_signature')
}

/** The envelope's signature under the device key that `state` lists. True for a roster: it has none. */
export function verifyDeviceSignature(crypto: Crypto, event: RoomEvent, state: RoomState): boolean {
  const { member, device, type } = event.header
  const sig = event.pdu.envelope_sig
  if (device === null) return sig === null
  // The founder's key stands in the create envelope itself, whose hash is the room.
  const key =
    type === STATE_TYPES.create
      ? readContent(event, STATE_TYPES.create)?.founder.ed25519
      : deviceKeyOf(state, member, device)
  if (key === undefined || sig === null) return false
  return verifyEnvelope(crypto, arrivedHeader(event), sig, fromBase64Url(key)).ok
}

/** What must hold at the event's own parents and is never asked again, whatever state resolves to later. */
export function checkAtParents(
  crypto: Crypto,
  event: RoomEvent,
  parents: readonly RoomEvent[],
  stateBefore: RoomState,
): AcceptResult {
  const { header, pdu } = event
  const isCreate = header.type === STATE_TYPES.create
  if ((parents.length === 0) !== isCreate) return refused('no_parents')
  if (parents.some((parent) => parent.roomId !== event.roomId)) return refused('wrong_room')
  if (parents.some((parent) => parent.pdu.event.origin_ts > pdu.event.origin_ts))
    return refused('earlier_than_parent')
  const auth = checkAuth(event, stateBefore)
  if (!auth.ok) return auth
  // A node can't choose a favourable past: what it may name is what the parents' state holds.
  const due = selectAuthEvents(stateBefore, header).map((authEvent) => authEvent.id)
  if (due.sort().join() !== pdu.event.auth_events.join()) return refused('wrong_auth_events')
  const position = checkStatePosition(event, stateBefore)
  if (!position.ok) return position
  const roster =
    header.device === null
      ? rosterHash(crypto, [])
      : expectedRosterHash(crypto, stateBefore, header.member)
  return header.roster === roster ? accepted : refused('roster_mismatch')
}

/** A signed state envelope counts only where its maker put it: no node can re-parent it. */
function checkStatePosition(event: RoomEvent, stateBefore: RoomState): AcceptResult {
  if (!isState(event)) return accepted
  const { type, member, state_key: stateKey = '', replaces, basis = [] } = event.header
  const current = stateEvent(stateBefore, type, stateKey)
  if ((current?.envelopeId ?? null) !== replaces) return refused('replaces_stale')
  const present = new Set(stateEvents(stateBefore).map((known) => known.envelopeId))
  const named = new Set(basis)
  const due = selectBasis(stateBefore, { type, stateKey }, member)
  return basis.every((id) => present.has(id)) && due.every((known) => named.has(known.envelopeId))
    ? accepted
    : refused('basis_stale')
}

/** Every device key that the event brings into the room. */
export function hasAdmissibleKeys(crypto: Crypto, event: RoomEvent): boolean {
  const keys =
    event.header.type === STATE_TYPES.create
      ? [readContent(event, STATE_TYPES.create)?.founder.ed25519]
      : (readContent(event, STATE_TYPES.roster)?.devices ?? []).map((device) => device.ed25519)
  return keys.every((key) => key === undefined || crypto.ed25519IsAdmissible(fromBase64Url(key)))
}

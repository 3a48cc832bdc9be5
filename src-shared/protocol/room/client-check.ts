/**
 * What a client verifies itself before it wraps or shows anything (Who can read §6): a node never dictates
 * who reads a room. Pure structure; whether a manifest backs a roster is asked of the manifests.
 *
 * What no client can see from state alone is that a node withholds newer state; members' roster hashes
 * show that as soon as they speak.
 */
import type { Crypto } from '../crypto.ts'
import { checkAgainstAuthEvents, hasAdmissibleKeys, verifyDeviceSignature } from './accept.ts'
import type { AcceptCode } from './accept.ts'
import { checkAuth } from './auth.ts'
import { verifyEventSignature } from './event.ts'
import type { RoomEvent } from './event.ts'
import type { EventSource } from './resolve.ts'
import {
  applyEvent,
  currentRosterHash,
  emptyState,
  expectedRosterHash,
  joinedMembers,
  rosterOf,
  stateEvents,
} from './state.ts'
import type { Roster, RoomState } from './state.ts'

/** The Ed25519 key of a node by server name and key id; undefined where it is not known. */
export type OriginKeys = (server: string, keyId: string) => Uint8Array | undefined

export type ClientCheckCode =
  | AcceptCode
  /** An auth event was not sent along, or was itself refused. */
  | 'missing_auth_event'
  | 'unknown_origin_key'

export interface RefusedEvent {
  readonly event: RoomEvent
  readonly code: ClientCheckCode
}

export interface OpenedState {
  readonly state: RoomState
  /** What was left out of the state, and why. Someone on the way made this up or changed it. */
  readonly refused: readonly RefusedEvent[]
}

/**
 * From the state events of a room, sent together with their auth events (`stateBundle`), to a state of
 * which every event is signed and allowed. Under one key the later in the list is the current one.
 */
export function openState(
  crypto: Crypto,
  roomId: string,
  events: readonly RoomEvent[],
  originKeys: OriginKeys,
): OpenedState {
  const given = new Map(events.map((event) => [event.id, event]))
  const verdicts = new Map<string, ClientCheckCode | 'good'>()

  function check(event: RoomEvent): ClientCheckCode | 'good' {
    if (event.roomId !== roomId) return 'wrong_room'
    const signed = checkOrigin(crypto, event, originKeys)
    if (signed !== 'good') return signed
    const auth = event.pdu.event.auth_events.flatMap((id) => {
      const known = given.get(id)
      return known !== undefined && verdicts.get(id) === 'good' ? [known] : []
    })
    if (auth.length < event.pdu.event.auth_events.length) return 'missing_auth_event'
    const verdict = checkAgainstAuthEvents(crypto, event, auth)
    return verdict.ok ? 'good' : verdict.code
  }

  // Hashes rule out cycles, so each event comes up again only once what it rests on has a verdict.
  const pending = [...events]
  for (let next = pending.at(-1); next !== undefined; next = pending.at(-1)) {
    const missing = verdicts.has(next.id)
      ? []
      : next.pdu.event.auth_events.flatMap((id) => {
          const known = given.get(id)
          return known === undefined || verdicts.has(id) ? [] : [known]
        })
    if (missing.length > 0) pending.push(...missing)
    else {
      pending.pop()
      if (!verdicts.has(next.id)) verdicts.set(next.id, check(next))
    }
  }

  let state = emptyState
  const refused: RefusedEvent[] = []
  for (const event of events) {
    const verdict = verdicts.get(event.id)
    if (verdict === 'good') state = applyEvent(state, event)
    else if (verdict !== undefined) refused.push({ event, code: verdict })
  }
  return { state, refused }
}

/** What a node sends for `openState`: the state's events, led by what they rest on. */
export function stateBundle(state: RoomState, source: EventSource): RoomEvent[] {
  const current = stateEvents(state)
  const listed = new Set(current.map((event) => event.id))
  const rests: RoomEvent[] = []
  const pending = [...current]
  for (let next = pending.pop(); next !== undefined; next = pending.pop())
    for (const id of next.pdu.event.auth_events) {
      const event = listed.has(id) ? undefined : source.getEvent(id)
      if (event === undefined) continue
      listed.add(id)
      rests.push(event)
      pending.push(event)
    }
  return [...rests, ...current]
}

export type Incoming =
  | {
      readonly ok: true
      /** With the event applied, where it is a state event. */
      readonly state: RoomState
      /**
       * Whether sender and client agree who the joined members and their devices are. Where not, one
       * of them lacks state: say so, and ask the node.
       */
      readonly rosterAgrees: boolean
    }
  | { readonly ok: false; readonly code: ClientCheckCode }

/** Whether the state known allows an event that arrives in the node's order. Call it for every event. */
export function checkIncoming(
  crypto: Crypto,
  state: RoomState,
  event: RoomEvent,
  originKeys: OriginKeys,
): Incoming {
  const signed = checkOrigin(crypto, event, originKeys)
  if (signed !== 'good') return { ok: false, code: signed }
  if (!hasAdmissibleKeys(crypto, event)) return { ok: false, code: 'inadmissible_key' }
  const auth = checkAuth(event, state)
  if (!auth.ok) return auth
  if (!verifyDeviceSignature(crypto, event, state))
    return { ok: false, code: 'bad_envelope_signature' }
  const { device, member, roster } = event.header
  return {
    ok: true,
    state: applyEvent(state, event),
    rosterAgrees: device === null || roster === expectedRosterHash(crypto, state, member),
  }
}

export interface Audience {
  /** Joined members by member id, each with the head and devices its home node states. */
  readonly rosters: readonly Roster[]
  /** The `roster` of an envelope sealed for exactly these. */
  readonly hash: string
}

/** For whom a message is sealed; each roster still has to be held against the member's manifest. */
export function audience(crypto: Crypto, state: RoomState): Audience {
  const rosters = joinedMembers(state).flatMap((member) => rosterOf(state, member) ?? [])
  return { rosters, hash: currentRosterHash(crypto, state) }
}

function checkOrigin(
  crypto: Crypto,
  event: RoomEvent,
  originKeys: OriginKeys,
): 'good' | 'unknown_origin_key' | 'bad_event_signature' {
  const key = originKeys(event.pdu.event.origin, event.pdu.event_sig.key_id)
  if (key === undefined) return 'unknown_origin_key'
  return verifyEventSignature(crypto, event.pdu, key) ? 'good' : 'bad_event_signature'
}

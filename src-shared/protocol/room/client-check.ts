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
import { STATE_TYPES } from './content.ts'
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
  stateEvent,
  stateEvents,
  withoutEvent,
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
  /** Under whose keys nothing is current any more, as far as that is believed. */
  readonly lapsed: readonly RoomEvent[]
  /** Said to have lapsed, which is not believed: the rules of the room allow what is said to be overruled. */
  readonly doubted: readonly RoomEvent[]
}

/**
 * Of these alone a current event can rest on one that is overruled: nothing rests on other types, and no room is
 * without its create event.
 */
const LAPSING: ReadonlySet<string> = new Set([
  STATE_TYPES.power,
  STATE_TYPES.joinRules,
  STATE_TYPES.member,
  STATE_TYPES.roster,
])

/**
 * From the state events of a room, sent together with their auth events (`stateBundle`), to a state of
 * which every event is signed and allowed. Under one key the later in the list is the current one, unless
 * `lapsed` names it: then there is none.
 */
export function openState(
  crypto: Crypto,
  roomId: string,
  events: readonly RoomEvent[],
  originKeys: OriginKeys,
  lapsed: readonly string[] = [],
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
  // Of what was damaged on the way nothing can be said to be missing.
  if (refused.length > 0 || lapsed.length === 0) return { state, refused, lapsed: [], doubted: [] }
  return { refused, ...withoutLapsed(state, events, new Set(lapsed)) }
}

/** `events`: what of the bundle is good; all of it is asked whether the room allows what is said to be overruled. */
function withoutLapsed(
  state: RoomState,
  events: readonly RoomEvent[],
  named: ReadonlySet<string>,
): Pick<OpenedState, 'state' | 'lapsed' | 'doubted'> {
  const keyOf = ({ header }: RoomEvent): string => `${header.type} ${header.state_key ?? ''}`
  let lapsed = [...new Map(events.map((event) => [event.id, event])).values()].filter(
    ({ id, header: { type, state_key: key } }) =>
      named.has(id) && LAPSING.has(type) && stateEvent(state, type, key)?.id === id,
  )
  let left = lapsed.reduce(withoutEvent, state)
  const doubted: RoomEvent[] = []
  // Without a join rule only who is invited comes in: nobody gains by a lie about that.
  const stands = (event: RoomEvent): boolean =>
    event.header.type !== STATE_TYPES.joinRules &&
    events.some((one) => keyOf(one) === keyOf(event) && checkAuth(one, left).ok)
  // One that stands after all may allow another.
  for (let back = lapsed.find(stands); back !== undefined; back = lapsed.find(stands)) {
    left = applyEvent(left, back)
    doubted.push(back)
    lapsed = lapsed.filter((event) => event !== back)
  }
  return { state: left, lapsed, doubted }
}

/** Ids of those events of a bundle under whose keys this state has nothing; of several under one key the last. */
export function lapsedIn(state: RoomState, bundle: readonly RoomEvent[]): string[] {
  const last = new Map<string, string>()
  for (const {
    id,
    header: { type, state_key: key },
  } of bundle)
    if (stateEvent(state, type, key) === undefined) last.set(`${type} ${key ?? ''}`, id)
  return [...last.values()]
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

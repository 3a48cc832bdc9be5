/**
 * Taking a device's envelope into a room (Two objects §5, Who can read §6): the event around it, the
 * checks every node makes, and the one transaction that stores it, its wraps and its news.
 */
import {
  canRedact,
  checkAgainstAuthEvents,
  checkAtParents,
  creation,
  decodePdu,
  emptyState,
  envelopeId,
  isRedactable,
  isState,
  membershipOf,
  applyEvent,
  originTsAfter,
  parseUserId,
  readContent,
  rosterPairs,
  selectAuthEvents,
  signEvent,
} from '../../src-shared/protocol/index.ts'
import type {
  AcceptCode,
  Event,
  Json,
  JsonObject,
  EnvelopeHeader,
  RoomEvent,
  Wrap,
} from '../../src-shared/protocol/index.ts'
import type { Submission } from '../../src-shared/api/index.ts'
import type { Context } from '../context.ts'
import { ApiError } from '../http/api-error.ts'
import type { Caller } from '../http/call.ts'
import type { Tx } from '../storage/index.ts'
import type { CurrentRoom } from './room-states.ts'
import { toRow } from './stored-event.ts'
import { checkWraps } from './check-wraps.ts'

/** A submission as validated and as it arrived. */
export interface Submitted {
  readonly checked: Submission
  readonly raw: JsonObject
}

export interface Accepted {
  readonly event: RoomEvent
  readonly current: CurrentRoom
}

export const emptyRoom: CurrentRoom = { extremities: [], parents: [], state: emptyState }

/** Throws `ApiError` with what the device has to do about it. */
export async function submit(
  context: Context,
  tx: Tx,
  caller: Caller,
  current: CurrentRoom,
  { checked, raw }: Submitted,
): Promise<Accepted> {
  const header = checked.envelope
  if (header.member !== caller.member || header.device !== caller.device)
    throw new ApiError('E_BAD_ENVELOPE', { rule: 'not_yours' })
  if (checked.body === null) throw new ApiError('E_BAD_ENVELOPE', { rule: 'body_missing' })
  const event = frame(context, current, header, {
    envelope: raw['envelope'] ?? null,
    envelope_sig: checked.envelope_sig,
    body: checked.body,
  })
  await checkSequence(tx, event)
  checkAccepted(context, event, current)
  const wraps = checked.wraps ?? []
  checkWraps(context, event, current, wraps)
  const target = await redactionTarget(tx, event, current)
  const rawWraps = (raw['wraps'] ?? []) as readonly JsonObject[]
  const stored = wraps.map((wrap, index) => ({ ...wrap, text: JSON.stringify(rawWraps[index]) }))
  const accepted = await store(context, tx, current, event, stored)
  if (target !== null) await tx.events.redact(target, event.id)
  return accepted
}

/** The node's own envelope (a roster): already known to be right, or a bug. */
export async function append(
  context: Context,
  tx: Tx,
  current: CurrentRoom,
  sealed: { readonly header: EnvelopeHeader; readonly body: string },
): Promise<Accepted> {
  const event = frame(context, current, sealed.header, {
    envelope: sealed.header as unknown as Json,
    envelope_sig: null,
    body: sealed.body,
  })
  checkAccepted(context, event, current)
  return store(context, tx, current, event, [])
}

interface Parts {
  readonly envelope: Json
  readonly envelope_sig: string | null
  readonly body: string
}

function frame(
  context: Context,
  current: CurrentRoom,
  header: EnvelopeHeader,
  parts: Parts,
): RoomEvent {
  const { crypto, config, keys } = context
  const event: Event = {
    envelope_id: envelopeId(crypto, parts.envelope as JsonObject),
    prev_events: [...current.extremities].sort(),
    auth_events: selectAuthEvents(current.state, header)
      .map((auth) => auth.id)
      .sort(),
    origin: config.serverName,
    origin_ts: originTsAfter(context.now(), current.parents),
  }
  const signed = { ...signEvent(crypto, event, keys.current) }
  const decoded = decodePdu(crypto, { event, event_sig: signed, ...parts } as unknown as Json)
  if (decoded.ok) return decoded.event
  if (decoded.code === 'too_large') throw new ApiError('M_TOO_LARGE')
  throw new ApiError('E_BAD_ENVELOPE', { rule: decoded.code })
}

async function checkSequence(tx: Tx, event: RoomEvent): Promise<void> {
  const { roomId, envelopeId: id, header } = event
  if (header.device === null) return
  if ((await tx.events.byEnvelope(roomId, id)) !== undefined)
    throw new ApiError('E_BAD_ENVELOPE', { rule: 'envelope_repeated' })
  const last = await tx.events.lastSeq(roomId, header.member, header.device)
  if (last !== null && header.seq <= last)
    throw new ApiError('E_BAD_ENVELOPE', { rule: 'seq_reused', next_seq: last + 1 })
}

function checkAccepted(context: Context, event: RoomEvent, current: CurrentRoom): void {
  const { crypto } = context
  const auth = selectAuthEvents(current.state, event.header)
  // At the parents first: "the room has moved on" tells a device more than "not allowed".
  const atParents = checkAtParents(crypto, event, current.parents, current.state)
  if (!atParents.ok) throw refusal(atParents.code, current)
  const byAuth = checkAgainstAuthEvents(crypto, event, auth)
  if (!byAuth.ok) throw refusal(byAuth.code, current)
}

const BAD_ENVELOPE: ReadonlySet<AcceptCode> = new Set<AcceptCode>([
  'bad_envelope_signature',
  'inadmissible_key',
  'bad_header',
  'bad_content',
  'wrong_room',
])

function refusal(code: AcceptCode, current: CurrentRoom): ApiError {
  if (code === 'roster_mismatch')
    return new ApiError('E_ROSTER_MISMATCH', { roster: rosterPairs(current.state) })
  if (code === 'replaces_stale' || code === 'basis_stale')
    return new ApiError('E_STATE_CONFLICT', { rule: code })
  return new ApiError(BAD_ENVELOPE.has(code) ? 'E_BAD_ENVELOPE' : 'E_UNAUTHORIZED_EVENT', {
    rule: code,
  })
}

/** The id of the event that loses its body; null for anything but a redaction. */
async function redactionTarget(
  tx: Tx,
  event: RoomEvent,
  current: CurrentRoom,
): Promise<string | null> {
  const content = readContent(event, 'e.redaction')
  if (content === null) return null
  const target = await tx.events.byEnvelope(event.roomId, content.target)
  if (target === undefined) throw new ApiError('E_UNAUTHORIZED_EVENT', { rule: 'unknown_target' })
  if (!canRedact(current.state, event.header.member, target.member))
    throw new ApiError('E_UNAUTHORIZED_EVENT', { rule: 'power_too_low' })
  if (!isRedactable({ ...event, header: { ...event.header, type: target.type } }))
    throw new ApiError('E_UNAUTHORIZED_EVENT', { rule: 'not_redactable' })
  return target.event_id
}

/** A wrap as it arrived. */
interface WrapText extends Pick<Wrap, 'member' | 'device'> {
  readonly text: string
}

async function store(
  context: Context,
  tx: Tx,
  current: CurrentRoom,
  event: RoomEvent,
  wraps: readonly WrapText[],
): Promise<Accepted> {
  const { roomId: room, header } = event
  const now = context.now()
  const pos = await tx.streams.take('event', event.id, room, now)
  if (current.extremities.length === 0) await insertRoom(tx, event, now)
  const { prev_events: prev, auth_events: auth } = event.pdu.event
  await tx.events.insert(toRow(event, pos), { prev, auth })
  if (isState(event)) {
    const change = { type: header.type, state_key: header.state_key ?? '', event_id: event.id }
    await tx.rooms.changeState(room, pos, [change])
  }
  const affected = await storeMembership(context, tx, event, pos)
  await tx.wraps.put(
    wraps.map((wrap) => ({
      member: wrap.member,
      device: wrap.device,
      event_id: event.id,
      pos,
      wrap: wrap.text,
    })),
  )
  const state = applyEvent(current.state, event)
  const audience = new Set(await tx.rooms.localMembers(room, ['join']))
  if (affected !== null) audience.add(affected)
  // Between making the room and joining it, its maker is the only one there.
  const made = creation(state)
  if (made?.content.server === context.config.serverName)
    if (membershipOf(state, made.creator) === undefined) audience.add(made.creator)
  await tx.streams.tell(
    pos,
    [...audience].map((member) => ({ member })),
  )
  context.metrics.event(isState(event) ? 'state' : 'message')
  const next: CurrentRoom = {
    extremities: [event.id],
    parents: [event],
    state,
  }
  context.roomStates.remember(room, next)
  return { event, current: next }
}

async function insertRoom(tx: Tx, event: RoomEvent, now: number): Promise<void> {
  await tx.rooms.insert({
    room_id: event.roomId,
    opaque: event.envelopeId,
    visibility: readContent(event, 'e.room.create')?.visibility ?? 'private',
    created_at: now,
  })
}

/** The member here whose own standing in the room changed, or null. */
async function storeMembership(
  context: Context,
  tx: Tx,
  event: RoomEvent,
  pos: number,
): Promise<string | null> {
  const content = readContent(event, 'e.room.member')
  const member = event.header.state_key
  if (content === null || member === undefined) return null
  const local = parseUserId(content.user_id)?.server === context.config.serverName
  await tx.rooms.setMembership({
    room_id: event.roomId,
    member,
    membership: content.membership,
    user_id: content.user_id,
    local: local ? 1 : 0,
    event_id: event.id,
    pos,
  })
  return local ? member : null
}

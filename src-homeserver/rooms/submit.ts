/**
 * Taking a device's envelope into a room (Two objects §5, Who can read §6): the event around it, and the
 * checks every node makes. What becomes of it then is `store-event.ts`'s.
 */
import {
  canRedact,
  checkAgainstAuthEvents,
  checkAtParents,
  decodePdu,
  emptyState,
  envelopeId,
  isRedactable,
  originTsAfter,
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
} from '../../src-shared/protocol/index.ts'
import type { Submission } from '../../src-shared/api/index.ts'
import type { Context } from '../context.ts'
import { ApiError } from '../http/api-error.ts'
import type { Caller } from '../http/call.ts'
import type { Tx } from '../storage/index.ts'
import type { CurrentRoom } from './room-states.ts'
import { checkWraps } from './check-wraps.ts'
import { storeEvent } from './store-event.ts'
import type { Stored } from './store-event.ts'

/** A submission as validated and as it arrived. */
export interface Submitted {
  readonly checked: Submission
  readonly raw: JsonObject
}

export const emptyRoom: CurrentRoom = { extremities: [], parents: [], state: emptyState }

/** Throws `ApiError` with what the device has to do about it. */
export async function submit(
  context: Context,
  tx: Tx,
  caller: Caller,
  current: CurrentRoom,
  { checked, raw }: Submitted,
): Promise<Stored> {
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
  await checkRedaction(tx, event, current)
  const rawWraps = (raw['wraps'] ?? []) as readonly JsonObject[]
  const texts = wraps.map((wrap, index) => ({ ...wrap, text: JSON.stringify(rawWraps[index]) }))
  return storeEvent(context, tx, event, { stateBefore: current.state, wraps: texts })
}

/** The node's own envelope (a roster): already known to be right, or a bug. */
export async function append(
  context: Context,
  tx: Tx,
  current: CurrentRoom,
  sealed: { readonly header: EnvelopeHeader; readonly body: string },
): Promise<Stored> {
  const event = frame(context, current, sealed.header, {
    envelope: sealed.header as unknown as Json,
    envelope_sig: null,
    body: sealed.body,
  })
  checkAccepted(context, event, current)
  return storeEvent(context, tx, event, { stateBefore: current.state, wraps: [] })
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

/** Throws `ApiError` for a redaction of what is unknown, out of reach or not to be redacted. */
async function checkRedaction(tx: Tx, event: RoomEvent, current: CurrentRoom): Promise<void> {
  const content = readContent(event, 'e.redaction')
  if (content === null) return
  const target = await tx.events.byEnvelope(event.roomId, content.target)
  if (target === undefined) throw new ApiError('E_UNAUTHORIZED_EVENT', { rule: 'unknown_target' })
  if (!canRedact(current.state, event.header.member, target.member))
    throw new ApiError('E_UNAUTHORIZED_EVENT', { rule: 'power_too_low' })
  if (!isRedactable({ ...event, header: { ...event.header, type: target.type } }))
    throw new ApiError('E_UNAUTHORIZED_EVENT', { rule: 'not_redactable' })
}

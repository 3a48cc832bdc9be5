/**
 * Events as they travel (Two objects §5): the node's ordering record around a device's envelope.
 *
 * Owns ids, the origin's signature, the wire form ("Pdu"), its bounds and what redaction leaves. It
 * knows nothing of who may do what (`auth.ts`) and opens no message.
 */
import * as z from 'zod'
import type { Crypto } from '../crypto.ts'
import {
  base64UrlSchema,
  canonicalBytes,
  EncodingError,
  eventIdSchema,
  envelopeIdSchema,
  formatRoomId,
  fromBase64Url,
  isJsonObject,
  labelledHash,
  LABELS,
  parseJson,
  serverNameSchema,
  signLabelled,
  timestampSchema,
  toBase64Url,
  verifyLabelled,
} from '../encoding/index.ts'
import type { EncodingErrorCode, Json, JsonObject } from '../encoding/index.ts'
import {
  bodyHash,
  envelopeHeaderSchema,
  envelopeId,
  knownHeader,
  MAX_ENVELOPE_SIZE,
} from '../envelope/index.ts'
import type { ArrivedHeader, EnvelopeHeader, KnownHeader } from '../envelope/index.ts'
import { contentSchemas, MESSAGE_TYPES, STATE_TYPES } from './content.ts'
import type { ContentByType, KnownType } from './content.ts'
import { RoomError } from './room-error.ts'

/** Canonical bytes of a whole event on the wire: the envelope, its body in base64url, and the record. */
export const MAX_PDU_BYTES = 96 * 1024
export const MAX_PREV_EVENTS = 20
export const MAX_AUTH_EVENTS = 10

const ascendingIds = (max: number): z.ZodType<string[]> =>
  z
    .array(eventIdSchema)
    .max(max)
    // One spelling of a set: the order can carry no message and a repeat no weight.
    .refine((ids) => ids.every((id, i) => i === 0 || (ids[i - 1] ?? '') < id), 'not ascending')

export const keyIdSchema = z.string().regex(/^[A-Za-z0-9_.:-]{1,64}$/)

export const eventSchema = z.looseObject({
  envelope_id: envelopeIdSchema,
  /** Event ids, ascending. Empty in the create event alone. */
  prev_events: ascendingIds(MAX_PREV_EVENTS),
  /** Event ids, ascending: what of the state at `prev_events` allows this event. */
  auth_events: ascendingIds(MAX_AUTH_EVENTS),
  origin: serverNameSchema,
  /** A claim of the origin; never earlier than any parent's. */
  origin_ts: timestampSchema,
})
export type Event = z.infer<typeof eventSchema>

export const eventSignatureSchema = z.object({ key_id: keyIdSchema, sig: base64UrlSchema(64) })
export type EventSignature = z.infer<typeof eventSignatureSchema>

export const pduSchema = z.object({
  event: eventSchema,
  event_sig: eventSignatureSchema,
  envelope: envelopeHeaderSchema,
  /** Null exactly where a node made the envelope. */
  envelope_sig: base64UrlSchema(64).nullable(),
  /** The detached body; null where it was redacted or is withheld. */
  body: base64UrlSchema().nullable(),
})
export type Pdu = z.infer<typeof pduSchema>

/** A Pdu whose ids have been computed over what arrived and whose parts fit together. */
export interface RoomEvent {
  readonly id: string
  readonly envelopeId: string
  readonly roomId: string
  readonly header: EnvelopeHeader
  readonly pdu: Pdu
  /** Null: redacted or withheld. */
  readonly body: Uint8Array | null
}

export interface NodeKey {
  readonly keyId: string
  /** 32-byte Ed25519 seed. */
  readonly secret: Uint8Array
}

export type DecodeErrorCode =
  | EncodingErrorCode
  | 'bad_shape'
  | 'wrong_envelope_id'
  | 'wrong_body'
  /** A clear body that is not a canonical JSON object. */
  | 'bad_body'
  /** Without its body a create event names no room. */
  | 'body_missing'

export type Decoded =
  | { readonly ok: true; readonly event: RoomEvent }
  | { readonly ok: false; readonly code: DecodeErrorCode }

/** `$` and the labelled hash of the canonical event. `event` is what arrived, not a schema's output. */
export function eventId(crypto: Crypto, event: Event | JsonObject): string {
  return `$${toBase64Url(labelledHash(crypto, LABELS.event, canonicalBytes(event as Json)))}`
}

export function signEvent(crypto: Crypto, event: Event, nodeKey: NodeKey): EventSignature {
  const bytes = canonicalBytes(event as Json)
  const sig = signLabelled(crypto, nodeKey.secret, LABELS.eventSignature, bytes)
  return { key_id: nodeKey.keyId, sig: toBase64Url(sig) }
}

/** Over the event's canonical bytes, and so over the envelope id: the only signature of a roster. */
export function verifyEventSignature(crypto: Crypto, pdu: Pdu, nodeKey: Uint8Array): boolean {
  const bytes = canonicalBytes(pdu.event as Json)
  const sig = fromBase64Url(pdu.event_sig.sig)
  return verifyLabelled(crypto, nodeKey, LABELS.eventSignature, bytes, sig)
}

/** Canonical JSON bytes off the wire, or a value the strict parser made. Verifies no signature. */
export function decodePdu(crypto: Crypto, input: Uint8Array | Json): Decoded {
  try {
    const json = input instanceof Uint8Array ? parseJson(input, { maxBytes: MAX_PDU_BYTES }) : input
    const parsed = pduSchema.safeParse(json)
    if (!parsed.success || !isJsonObject(json)) return { ok: false, code: 'bad_shape' }
    const { event, event_sig, envelope, envelope_sig, body } = json
    // What arrived is hashed, kept and passed on; the schema's copy only proved its shape.
    const pdu = { event, event_sig, envelope, envelope_sig, body } as unknown as Pdu
    if (!(input instanceof Uint8Array) && canonicalBytes(json).length > MAX_PDU_BYTES)
      return { ok: false, code: 'too_large' }
    return checkParts(crypto, pdu)
  } catch (error) {
    if (error instanceof EncodingError) return { ok: false, code: error.code }
    throw error
  }
}

function checkParts(crypto: Crypto, pdu: Pdu): Decoded {
  const { event, envelope: header, envelope_sig: sig } = pdu
  if ((header.device === null) !== (sig === null)) return { ok: false, code: 'bad_shape' }
  const known = knownHeader(crypto, header)
  const { id } = known
  if (id !== event.envelope_id) return { ok: false, code: 'wrong_envelope_id' }
  const body = pdu.body === null ? null : fromBase64Url(pdu.body)
  if (known.bytes.length + (body?.length ?? 0) > MAX_ENVELOPE_SIZE)
    return { ok: false, code: 'too_large' }
  if (body !== null && bodyHash(crypto, body) !== header.body_hash)
    return { ok: false, code: 'wrong_body' }

  const bare = {
    id: eventId(crypto, event),
    envelopeId: id,
    roomId: header.room,
    header,
    pdu,
    body,
  }
  if (body !== null && header.transport === 'clear' && clearBody(bare) === null)
    return { ok: false, code: 'bad_body' }
  if ((header.type === STATE_TYPES.create) !== (header.room === ''))
    return { ok: false, code: 'bad_shape' }
  if (!isState(bare)) headers.set(bare, known)
  if (header.type !== STATE_TYPES.create) return { ok: true, event: bare }
  if (body === null) return { ok: false, code: 'body_missing' }
  const created = readContent(bare, STATE_TYPES.create)
  if (created === null) return { ok: false, code: 'bad_body' }
  return { ok: true, event: { ...bare, roomId: formatRoomId(id, created.server) } }
}

/** Of messages only: state is kept for long, and asked no more once it is accepted. */
const headers = new WeakMap<RoomEvent, KnownHeader>()

/** The event's header, for `verifyEnvelope` and `openEnvelope`, with what decoding the event found out about it. */
export function arrivedHeader(event: RoomEvent): ArrivedHeader {
  return headers.get(event) ?? event.header
}

/** The wire form; exactly what `decodePdu` reads. */
export function encodePdu(pdu: Pdu): Uint8Array {
  return canonicalBytes(pdu as Json)
}

export interface EventParts {
  readonly envelope: EnvelopeHeader
  readonly body: Uint8Array | null
  /** The device's signature in base64url; null for a roster. */
  readonly sig: string | null
  readonly prevEvents: readonly string[]
  readonly authEvents: readonly string[]
  readonly origin: string
  /** Milliseconds; use `originTsAfter`. */
  readonly originTs: number
  readonly nodeKey: NodeKey
}

/** What the origin node does with a submission. Throws `RoomError('bad_event')` where parts don't fit. */
export function makeEvent(crypto: Crypto, parts: EventParts): RoomEvent {
  const event: Event = {
    envelope_id: envelopeId(crypto, parts.envelope),
    prev_events: [...new Set(parts.prevEvents)].sort(),
    auth_events: [...new Set(parts.authEvents)].sort(),
    origin: parts.origin,
    origin_ts: parts.originTs,
  }
  const pdu: Pdu = {
    event,
    event_sig: signEvent(crypto, event, parts.nodeKey),
    envelope: parts.envelope,
    envelope_sig: parts.sig,
    body: parts.body === null ? null : toBase64Url(parts.body),
  }
  const decoded = decodePdu(crypto, pdu as Json)
  if (!decoded.ok) throw new RoomError('bad_event')
  return decoded.event
}

/** `now`, but never earlier than a parent. */
export function originTsAfter(now: number, parents: readonly RoomEvent[]): number {
  return parents.reduce((latest, parent) => Math.max(latest, parent.pdu.event.origin_ts), now)
}

/** Auth rules read these bodies; taking one away would change who may do what. */
const UNREDACTABLE: ReadonlySet<string> = new Set([
  STATE_TYPES.create,
  STATE_TYPES.member,
  STATE_TYPES.roster,
  STATE_TYPES.power,
  STATE_TYPES.joinRules,
  STATE_TYPES.historyVisibility,
  STATE_TYPES.grant,
  MESSAGE_TYPES.redaction,
])

export function isRedactable(event: RoomEvent): boolean {
  return !UNREDACTABLE.has(event.header.type)
}

/** Drops the body and keeps everything that is hashed or signed; the ids stay what they were. */
export function redact(event: RoomEvent): RoomEvent {
  if (!isRedactable(event) || event.body === null) return event
  return { ...event, pdu: { ...event.pdu, body: null }, body: null }
}

/** A device-made state envelope or a roster: it has a state key. */
export function isState(event: RoomEvent): boolean {
  return event.header.state_key !== undefined
}

const contents = new WeakMap<RoomEvent, { readonly value: unknown }>()

/**
 * The clear body as its type's schema reads it; null where the event has another type, its body is
 * gone, or it does not fit the schema. Read once per event.
 */
export function readContent<T extends KnownType>(
  event: RoomEvent,
  type: T,
): ContentByType[T] | null {
  if (event.header.type !== type) return null
  let known = contents.get(event)
  if (known === undefined) {
    const parsed = contentSchemas[type].safeParse(clearBody(event))
    known = { value: parsed.success ? parsed.data : null }
    contents.set(event, known)
  }
  return known.value as ContentByType[T] | null
}

/** The clear body as JSON, or null. */
export function clearBody(event: RoomEvent): JsonObject | null {
  if (event.body === null || event.header.transport !== 'clear') return null
  try {
    const json = parseJson(event.body, { maxBytes: MAX_ENVELOPE_SIZE, canonical: true })
    return isJsonObject(json) ? json : null
  } catch (error) {
    if (error instanceof EncodingError) return null
    throw error
  }
}
